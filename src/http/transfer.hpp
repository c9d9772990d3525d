// One request in libcurl's hands, from its options to what became of it. On the fetcher's thread.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "http/fetcher.hpp"

namespace pinnace::http {

class Transfer {
 public:
  // `settings` and `roots` outlive it; the request's addresses may all be used.
  Transfer(Request request, const Settings& settings, const tls::TrustStore& roots,
           io::Steady::time_point deadline);
  Transfer(const Transfer&) = delete;
  ~Transfer();

  // For libcurl to run, with the time that is left; null: out of memory.
  CURL* start();
  base::Result<Response> end(CURLcode code);
  base::Result<Response> too_late() const;
  io::Steady::time_point deadline() const { return deadline_; }

 private:
  static std::size_t take_body(char* from, std::size_t one, std::size_t size, void* self);
  static std::size_t take_header(char* from, std::size_t one, std::size_t size, void* self);
  static CURLcode prepare_tls(CURL* easy, void* ssl_ctx, void* self);
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* to);
  bool set_options();
  std::unexpected<base::Error> fail(std::string_view code, std::string_view why) const;
  std::string resolve_line() const;

  template <auto Free>
  struct Deleter {
    template <class T>
    void operator()(T* p) const {
      Free(p);
    }
  };

  Request request_;
  const Settings& settings_;
  const tls::TrustStore& roots_;
  io::Steady::time_point deadline_;
  Response response_;
  std::size_t header_octets_ = 0;
  bool too_big_ = false;
  std::unique_ptr<curl_slist, Deleter<curl_slist_free_all>> resolve_;
  std::unique_ptr<CURLSH, Deleter<curl_share_cleanup>> names_;  // this request's alone
  std::unique_ptr<CURL, Deleter<curl_easy_cleanup>> easy_;
  char error_[CURL_ERROR_SIZE] = "";
};

}  // namespace pinnace::http
