// A stored policy of any content decodes to what encodes back, or is refused.
#include <cstdint>
#include <cstdlib>

#include "sts/cached.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view record(reinterpret_cast<const char*>(data), size);
  const auto cached = pinnace::sts::Cached::decode(record);
  if (cached && (cached->encode() != record || cached->policy.max_age > pinnace::sts::kMaxAge)) std::abort();
  return 0;
}
