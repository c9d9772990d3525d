#include "http/transfer.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "tls/https.hpp"

namespace pinnace::http {
namespace {

constexpr std::size_t kMaxHeader = 64 << 10;

io::IpAddress address_of(const curl_sockaddr& to) {
  if (to.family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &to.addr, sizeof in);
    return io::IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&in.sin_addr));
  }
  // curl_sockaddr holds an address of any size behind its `addr`.
  sockaddr_in6 in{};
  std::memcpy(&in, reinterpret_cast<const char*>(&to) + offsetof(curl_sockaddr, addr), sizeof in);
  return io::IpAddress::v6(in.sin6_addr.s6_addr);
}

template <class T>
bool set(CURL* easy, CURLoption option, T value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

}  // namespace

Transfer::Transfer(Request request, const Settings& settings, const tls::TrustStore& roots,
                   io::Steady::time_point deadline)
    : request_(std::move(request)), settings_(settings), roots_(roots), deadline_(deadline) {}

Transfer::~Transfer() = default;

std::string Transfer::resolve_line() const {
  std::string out = fmt::format("{}:{}", request_.host, settings_.port);
  char before = ':';
  for (const io::IpAddress& a : request_.addresses) {
    out += before + (a.is_v4() ? a.str() : "[" + a.str() + "]");
    before = ',';
  }
  return out;
}

CURL* Transfer::start() {
  easy_.reset(curl_easy_init());
  names_.reset(curl_share_init());
  resolve_.reset(curl_slist_append(nullptr, resolve_line().c_str()));
  if (!easy_ || !names_ || !resolve_ || !set_options()) return nullptr;
  return easy_.get();
}

bool Transfer::set_options() {
  CURL* e = easy_.get();
  const std::string url = fmt::format("https://{}:{}{}", request_.host, settings_.port, request_.path);
  const auto left = std::chrono::duration_cast<base::Milliseconds>(deadline_ - io::Steady::now());
  bool good = curl_share_setopt(names_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK;
  good &= set(e, CURLOPT_ERRORBUFFER, error_) && set(e, CURLOPT_URL, url.c_str()) &&
          set(e, CURLOPT_PATH_AS_IS, 1L) && set(e, CURLOPT_PROTOCOLS_STR, "https") &&
          set(e, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1}) && set(e, CURLOPT_USERAGENT, "pinnace") &&
          set(e, CURLOPT_NOSIGNAL, 1L) &&
          set(e, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(left.count(), 1)));
  // RFC 8461 3.3: a redirect is not followed. A proxy that the environment names is not asked.
  good &= set(e, CURLOPT_FOLLOWLOCATION, 0L) && set(e, CURLOPT_PROXY, "") && set(e, CURLOPT_NOPROXY, "*") &&
          set(e, CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  // No name is resolved but from the list, and open_socket() sees to that.
  good &= set(e, CURLOPT_SHARE, names_.get()) && set(e, CURLOPT_RESOLVE, resolve_.get()) &&
          set(e, CURLOPT_OPENSOCKETFUNCTION, &open_socket) && set(e, CURLOPT_OPENSOCKETDATA, this);
  // A connection of its own: another request's was to other addresses.
  good &= set(e, CURLOPT_FRESH_CONNECT, 1L) && set(e, CURLOPT_FORBID_REUSE, 1L) &&
          set(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  // prepare_tls() says what is trusted; the library's own check of the name comes after it.
  good &= set(e, CURLOPT_SSL_VERIFYPEER, 1L) && set(e, CURLOPT_SSL_VERIFYHOST, 2L) &&
          set(e, CURLOPT_SSL_OPTIONS, long{CURLSSLOPT_NO_PARTIALCHAIN}) &&
          set(e, CURLOPT_CAINFO, static_cast<char*>(nullptr)) &&
          set(e, CURLOPT_CAPATH, static_cast<char*>(nullptr)) && set(e, CURLOPT_CA_CACHE_TIMEOUT, 0L) &&
          set(e, CURLOPT_SSL_CTX_FUNCTION, &prepare_tls) && set(e, CURLOPT_SSL_CTX_DATA, this);
  good &= set(e, CURLOPT_WRITEFUNCTION, &take_body) && set(e, CURLOPT_WRITEDATA, this) &&
          set(e, CURLOPT_HEADERFUNCTION, &take_header) && set(e, CURLOPT_HEADERDATA, this);
  return good;
}

CURLcode Transfer::prepare_tls(CURL*, void* ssl_ctx, void* self) {
  const auto& t = *static_cast<Transfer*>(self);
  return tls::verify_https(ssl_ctx, t.roots_, t.request_.host) ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
}

curl_socket_t Transfer::open_socket(void* self, curlsocktype, curl_sockaddr* to) {
  const auto& known = static_cast<Transfer*>(self)->request_.addresses;
  const bool ip = to->family == AF_INET || to->family == AF_INET6;
  if (!ip || std::find(known.begin(), known.end(), address_of(*to)) == known.end()) return CURL_SOCKET_BAD;
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

std::size_t Transfer::take_body(char* from, std::size_t one, std::size_t size, void* self) {
  auto& t = *static_cast<Transfer*>(self);
  const std::size_t octets = one * size;
  t.too_big_ = octets > t.settings_.max_body - t.response_.body.size();
  if (t.too_big_) return 0;
  t.response_.body.append(from, octets);
  return octets;
}

std::size_t Transfer::take_header(char*, std::size_t one, std::size_t size, void* self) {
  auto& t = *static_cast<Transfer*>(self);
  t.header_octets_ += one * size;
  t.too_big_ = t.header_octets_ > kMaxHeader;
  return t.too_big_ ? 0 : one * size;
}

std::unexpected<base::Error> Transfer::fail(std::string_view code, std::string_view why) const {
  return base::fail(code, fmt::format("https://{}{}: {}", request_.host, request_.path, why));
}

base::Result<Response> Transfer::too_late() const {
  return fail("http.timeout", fmt::format("no whole answer within {} ms", settings_.timeout.count()));
}

base::Result<Response> Transfer::end(CURLcode code) {
  if (too_big_) {
    return fail("http.size", fmt::format("the answer has more than {} octets",
                                         header_octets_ > kMaxHeader ? kMaxHeader : settings_.max_body));
  }
  const std::string why = error_[0] ? error_ : curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT) return too_late();
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    return fail("http.tls", "the server cannot show that it is this host: " + why);
  }
  if (code != CURLE_OK) return fail("http.transfer", why);
  const char* type = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &response_.status);
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &type);
  if (type) response_.content_type = type;
  return std::move(response_);
}

}  // namespace pinnace::http
