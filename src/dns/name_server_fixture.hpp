// A name server on a thread of its own, for tests.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "dns/resolver.hpp"

namespace pinnace::dns::fixture {

// One record a name and type, which lives for no time; the rest is empty.
class NameServer {
 public:
  NameServer() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), size), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  void set(const std::string& name, Type type, const std::string& rdata) {
    const std::lock_guard lock(mutex_);
    records_[{name, static_cast<int>(type)}] = rdata;
  }
  void erase(const std::string& name, Type type) {
    const std::lock_guard lock(mutex_);
    records_.erase({name, static_cast<int>(type)});
  }
  // The name, and all below it, gets no answer any more; "" is every name.
  void silence(const std::string& name) {
    const std::lock_guard lock(mutex_);
    silent_.insert(name);
  }
  void speak() {
    const std::lock_guard lock(mutex_);
    silent_.clear();
  }
  int asked(const std::string& name, Type type) {
    const std::lock_guard lock(mutex_);
    return asked_[{name, static_cast<int>(type)}];
  }
  int port() const { return port_; }

 private:
  void serve() {
    char buffer[1500];
    for (;;) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n = ::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 17) return;
      const std::string reply = answer(std::string(buffer, static_cast<std::size_t>(n)));
      if (reply.empty()) continue;
      ::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  std::string answer(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (query[at] != 0) {
      const auto length = static_cast<std::size_t>(query[at]);
      name += (name.empty() ? "" : ".") + query.substr(at + 1, length);
      at += length + 1;
    }
    const int type =
        static_cast<unsigned char>(query[at + 1]) << 8 | static_cast<unsigned char>(query[at + 2]);
    const std::lock_guard lock(mutex_);
    ++asked_[{name, type}];
    const auto silent = [&name](const std::string& s) {
      return s.empty() || name == s || name.ends_with("." + s);
    };
    if (std::any_of(silent_.begin(), silent_.end(), silent)) return {};
    const auto record = records_.find({name, type});
    const bool found = record != records_.end();
    // RFC 1035 4.1.1: an authoritative answer to one question.
    std::string out = query.substr(0, 2) + std::string("\x84\0\0\x01\0", 5) + (found ? '\1' : '\0') +
                      std::string(4, '\0') + query.substr(12, at + 5 - 12);
    if (!found) return out;
    const std::string& rdata = record->second;
    // Its name is the question's; it lives for no time.
    out += std::string("\xc0\x0c", 2) + query.substr(at + 1, 4) + std::string(4, '\0');
    out += static_cast<char>(rdata.size() >> 8);
    return out + static_cast<char>(rdata.size()) + rdata;
  }

  int fd_;
  int port_ = 0;
  std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::string> records_;
  std::map<std::pair<std::string, int>, int> asked_;
  std::set<std::string> silent_;
  std::thread thread_;
};

}  // namespace pinnace::dns::fixture
