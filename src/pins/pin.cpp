#include "pins/pin.hpp"

#include <algorithm>

#include "base/base64.hpp"

namespace pinnace::pins {

std::optional<Pin> Pin::parse(std::string_view base64) {
  const auto bytes = base::base64_decode(base64);
  Pin pin;
  if (!bytes || bytes->size() != pin.sha256.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), pin.sha256.begin());
  return pin;
}

std::string Pin::str() const {
  return base::base64_encode({reinterpret_cast<const char*>(sha256.data()), sha256.size()});
}

}  // namespace pinnace::pins
