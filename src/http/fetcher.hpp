// HTTPS GET by libcurl, in a thread of its own. No redirect is followed, no proxy and no cache is used, and
// no name is looked up: the caller brings the addresses. The process must ignore SIGPIPE.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "io/address.hpp"
#include "io/loop.hpp"
#include "tls/chain.hpp"

namespace pinnace::http {

// https://host/path
struct Request {
  std::string host;
  std::string path;
  std::vector<io::IpAddress> addresses;
};

struct Response {
  long status = 0;
  std::string content_type;  // as it was sent; empty: not sent
  std::string body;
};

struct Settings {
  std::size_t max_body = 64 << 10;
  base::Milliseconds timeout = std::chrono::minutes(1);  // of a whole request, its wait for a turn with it
  std::vector<io::Network> allowed;                      // addresses that are used although not public
  std::uint16_t port = 443;
};

class Fetcher {
 public:
  Fetcher(io::Loop& loop, tls::TrustStore roots, Settings settings);
  // Requests under way are forgotten: only together with the tasks that wait for them.
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;

  // On the loop's thread. Any status is a response. Errors: "http.address" (none that may be used),
  // "http.tls" (the certificate does not show that this is the host), "http.timeout", "http.size",
  // "http.transfer" (all else).
  io::Task<base::Result<Response>> get(Request request);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace pinnace::http
