#include "http/server_message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

namespace pinnace::http {

namespace beast = boost::beast::http;

struct RequestReader::Parser : beast::request_parser<beast::string_body> {};

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// The host of "host", "host:port", "[2001:db8::1]:port"; empty where it is none.
std::string host_of(std::string_view authority) {
  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  const std::string_view host = authority.substr(0, authority.find(':', bracket));
  const bool good = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_[]:").find(c) != std::string_view::npos;
  });
  return good ? lower(host) : std::string();
}

// RFC 9112 3.2: a path, or for a proxy the whole URI, whose host then counts.
bool read_target(std::string_view target, RequestHead& head) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (lower(target.substr(0, scheme.size())) != scheme) continue;
    target.remove_prefix(scheme.size());
    const std::size_t path = std::min(target.find_first_of("/?"), target.size());
    head.host = host_of(target.substr(0, path));
    target.remove_prefix(path);
  }
  head.path = std::string(target.substr(0, target.find('?')));
  if (head.path.empty()) head.path = "/";
  return !head.host.empty();
}

// RFC 9112 6.3: what could be framed in two ways is framed in none. The parser itself refuses both
// Content-Length and Transfer-Encoding.
const char* framing_fault(const beast::request<beast::string_body>& message) {
  const auto fields = [&](beast::field name) {
    return std::distance(message.equal_range(name).first, message.equal_range(name).second);
  };
  const auto codings = fields(beast::field::transfer_encoding);
  if (codings > 0 && message.version() < 11) return "HTTP/1.0 has no Transfer-Encoding";
  if (codings > 1 ||
      (codings == 1 && lower(std::string_view(message[beast::field::transfer_encoding])) != "chunked"))
    return "of transfer codings only 'chunked' is known here";
  if (fields(beast::field::content_length) > 1 ||
      message[beast::field::content_length].find(',') != boost::beast::string_view::npos)
    return "one Content-Length is expected";
  return nullptr;
}

}  // namespace

RequestReader::RequestReader(std::uint32_t max_head) : max_head_(max_head), parser_(new Parser) {
  parser_->header_limit(max_head);
  parser_->body_limit(boost::none);  // until limit_body(), and nothing of it is read before
}

RequestReader::~RequestReader() = default;

bool RequestReader::done() const { return has_head_ && !refusal_ && parser_->is_done(); }

void RequestReader::limit_body(std::uint64_t most) {
  if (head_.length > most) {
    refusal_ = Refusal{413, fmt::format("at most {} octets are taken here", most)};
  }
  parser_->body_limit(most);
}

std::string RequestReader::take_body() { return std::move(parser_->get().body()); }

std::size_t RequestReader::feed(std::string_view octets) {
  if (refusal_ || done() || octets.empty()) return 0;
  // Never the whole rest of a body in chunks: at least "0", CRLF, CRLF end it. Given less behind the first of
  // these Beast 1.81 fails an assertion.
  if (has_head_ && parser_->chunked() && octets.size() < 5) return 0;
  boost::system::error_code error;
  const std::size_t taken = parser_->put(boost::asio::buffer(octets.data(), octets.size()), error);
  if (error == beast::error::need_more) {
    // Also a chunk's extensions and the trailer are as long as the peer likes.
    if (octets.size() - taken < max_head_) return taken;
    error = beast::error::header_limit;
  }
  if (error) {
    const int status = error == beast::error::header_limit ? 431
                       : error == beast::error::body_limit ? 413
                                                           : 400;
    refusal_ = Refusal{status, error.message()};
  } else if (!has_head_ && parser_->is_header_done()) {
    has_head_ = true;
    take_head();
    parser_->eager(true);
  }
  return taken;
}

void RequestReader::take_head() {
  const auto& message = parser_->get();
  const auto text = [&](beast::field name) { return std::string(std::string_view(message[name])); };
  if (const char* fault = framing_fault(message)) {
    refusal_ = Refusal{400, fault};
    return;
  }
  head_.method = std::string(std::string_view(message.method_string()));
  head_.content_type = text(beast::field::content_type);
  head_.content_encoding = lower(text(beast::field::content_encoding));
  if (message.has_content_length()) head_.length = parser_->content_length().value_or(0);
  head_.has_body = head_.length.value_or(0) > 0 || parser_->chunked();
  head_.keep_alive = parser_->keep_alive();
  const std::string expected = lower(text(beast::field::expect));
  head_.expects_continue = expected == "100-continue" && message.version() >= 11;
  if (!expected.empty() && expected != "100-continue") {
    refusal_ = Refusal{417, "only 100-continue can be expected"};
    return;
  }
  // RFC 9112 3.2: exactly one Host, whatever form the target has.
  const auto hosts = message.equal_range(beast::field::host);
  head_.host = host_of(std::string_view(message[beast::field::host]));
  const auto count = std::distance(hosts.first, hosts.second);
  const bool old = message.version() < 11 && count == 0;
  if (old) head_.host = "-";
  const std::string_view target(message.target());
  if ((count != 1 && !old) || !read_target(target, head_))
    refusal_ = Refusal{400, "one good Host is expected"};
  if (old && head_.host == "-") head_.host.clear();
}

std::string response_head(const ServerResponse& response, bool keep_alive, base::Time now) {
  // RFC 9110 5.6.7: as in mail but for the zone's name and the zero of a day.
  std::string date = base::format_mail_date(now);
  date.replace(date.size() - 5, 5, "GMT");
  if (date[6] == ' ') date.insert(5, "0");
  const auto status = beast::int_to_status(static_cast<unsigned>(response.status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Length: {}\r\n", response.status,
                                std::string_view(beast::obsolete_reason(status)), date, response.body.size());
  if (!response.body.empty()) out += fmt::format("Content-Type: {}\r\n", response.content_type);
  for (const auto& [name, value] : response.fields) out += fmt::format("{}: {}\r\n", name, value);
  return out + (keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
}

}  // namespace pinnace::http
