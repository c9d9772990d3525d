#include "policy/rate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pinnace::policy {
namespace {

struct Unit {
  std::string_view name;
  base::Seconds length;
};
constexpr Unit kUnits[] = {{"s", base::Seconds(1)}, {"min", base::Seconds(60)}, {"h", base::Seconds(3600)}};

}  // namespace

base::Result<Rate> Rate::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view digits = text.substr(0, slash);
  Rate out;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out.messages);
  const bool number = code == std::errc{} && end == digits.data() + digits.size();
  const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& u) {
    return slash < text.size() && u.name == text.substr(slash + 1);
  });
  if (!number || out.messages == 0 || out.messages > kMost || unit == std::end(kUnits)) {
    return base::fail("policy.rate",
                      fmt::format("'{}' is no rate: \"10/s\", \"100/min\" or \"5000/h\" is expected, a "
                                  "number from 1 to {} and its time",
                                  text, kMost));
  }
  out.per = unit->length;
  return out;
}

std::string Rate::str() const {
  const auto unit =
      std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& u) { return u.length == per; });
  return fmt::format("{}/{}", messages, unit->name);
}

}  // namespace pinnace::policy
