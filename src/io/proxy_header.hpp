// The header of the PROXY protocol, version 2, by which a front that passes a TCP connection on says whose it
// is (haproxy.org, proxy-protocol.txt, 2.2). It stands before all else, also before TLS.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/address.hpp"
#include "io/stream.hpp"

namespace pinnace::io {

// Of a TCP connection.
std::string proxy_header(const Endpoint& client, const Endpoint& local);

struct Proxied {
  std::optional<Endpoint> client;
  Endpoint local;    // with client: where it connected to
  bool own = false;  // LOCAL: the front speaks for itself. Else, without client: for whom it cannot name
};

// The first kProxyStart octets say how many follow: at most kMostProxy, of which addresses are read and the
// rest (TLVs) is passed over. Error: "io.proxy".
inline constexpr std::size_t kProxyStart = 16;
inline constexpr std::size_t kMostProxy = 4096;
base::Result<std::size_t> proxy_rest(std::string_view start);
base::Result<Proxied> parse_proxy_header(std::string_view start, std::string_view rest);

// Reads the header, and not an octet more. Errors: "io.proxy", the stream's own.
Task<base::Result<Proxied>> read_proxy_header(Stream& stream);

}  // namespace pinnace::io
