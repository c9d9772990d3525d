// How a TLS client that is not ours (libcurl's, over OpenSSL) verifies a policy host.
#pragma once

#include <string>

#include "tls/chain.hpp"

namespace pinnace::tls {

// RFC 8461 3.3: the server's chain leads to one of `roots`, is in date and has `host` as a SAN dNSName; the
// subject's common name never counts. `ssl_ctx` is the library's SSL_CTX, before its first connection; of
// what it trusted before nothing is left. False: it must not be used. Any thread.
[[nodiscard]] bool verify_https(void* ssl_ctx, const TrustStore& roots, const std::string& host);

}  // namespace pinnace::tls
