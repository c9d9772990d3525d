// A PROXY header of anything: what names a client reads the same when it is written again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/proxy_header.hpp"

using namespace pinnace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto read =
      io::parse_proxy_header(all.substr(0, io::kProxyStart), all.substr(std::min(size, io::kProxyStart)));
  if (!read || !read->client) return 0;
  if (size > io::kProxyStart + io::kMostProxy) std::abort();
  const std::string again = io::proxy_header(*read->client, read->local);
  const auto twice = io::parse_proxy_header(again.substr(0, io::kProxyStart), again.substr(io::kProxyStart));
  if (!twice || !twice->client || twice->client->str() != read->client->str() ||
      twice->local.str() != read->local.str())
    std::abort();
  return 0;
}
