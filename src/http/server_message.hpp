// The messages of HTTP/1.1 (RFC 9112) as a server reads and writes them: octets in, a request out. Knows no
// connection. What two readers could take for different requests is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace pinnace::http {

struct RequestHead {
  std::string method;
  std::string host;  // in lower case, without a port
  std::string path;  // as it was sent, without a query
  std::string content_type;
  std::string content_encoding;
  std::optional<std::uint64_t> length;  // of the body; none: there is none, or it comes in chunks
  bool has_body = false;
  bool expects_continue = false;
  bool keep_alive = false;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields = {};  // further ones
};

// With what the request was refused. Nothing behind it on the connection can be read.
struct Refusal {
  int status = 400;
  std::string why;
};

// Reads one request.
class RequestReader {
 public:
  explicit RequestReader(std::uint32_t max_head);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;

  // How many octets it took. The others are to be given again with those behind them; where it is done they
  // are the next request's. It stops once behind the head.
  std::size_t feed(std::string_view octets);

  bool has_head() const { return has_head_; }
  const RequestHead& head() const { return head_; }
  // Behind the head, before any of the body.
  void limit_body(std::uint64_t most);
  bool done() const;
  const std::optional<Refusal>& refusal() const { return refusal_; }
  std::string take_body();

 private:
  struct Parser;
  void take_head();

  std::uint32_t max_head_;
  std::unique_ptr<Parser> parser_;
  bool has_head_ = false;
  RequestHead head_;
  std::optional<Refusal> refusal_;
};

// Everything before the body.
std::string response_head(const ServerResponse& response, bool keep_alive, base::Time now);

}  // namespace pinnace::http
