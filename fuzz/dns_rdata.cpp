// RDATA of any content: what is taken is within its bounds.
#include <cstdint>
#include <cstdlib>

#include "dns/rdata.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pinnace::dns;
  const std::string_view rdata(reinterpret_cast<const char*>(data), size);
  // Every string costs its length octet.
  const auto txt = parse_txt(rdata);
  if (txt && (txt->size() >= size || (size - txt->size()) * 255 < txt->size())) std::abort();
  if (const auto mx = parse_mx(rdata); mx && mx->host.size() > 253) std::abort();
  if (const auto name = parse_name(rdata); name && name->size() > 253) std::abort();
  return 0;
}
