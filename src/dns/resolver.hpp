// A validating resolver (libunbound) on the loop. Every lookup has a deadline, and every
// answer says what DNSSEC makes of it. On the loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/loop.hpp"

namespace pinnace::dns {

enum class Type : int { a = 1, cname = 5, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };
enum class Security { secure, insecure, bogus };
std::string_view to_string(Security security);

struct Answer {
  // failure: no answer in time, a server's failure, or a bogus one: never the same as "no record".
  enum class Kind { records, no_data, no_domain, failure };
  Kind kind = Kind::failure;
  Security security = Security::insecure;
  std::vector<std::string> rdata;
  std::string canonical;  // the name at the end of the CNAMEs; empty: the one asked
  base::Seconds ttl{};
  std::string detail;  // of a failure, for people
};

struct Stub {
  std::string zone;     // "test."
  std::string address;  // "127.0.0.1@5300"
};

struct Settings {
  std::string trust_anchor_file;  // empty: the root's, as libunbound's package has it
  std::vector<Stub> stubs;        // zones asked of these servers, on loopback too
  std::vector<std::string> forwarders;
  base::Milliseconds timeout = std::chrono::seconds(20);
};

class Resolver {
 public:
  // Errors: "dns.config".
  static base::Result<std::unique_ptr<Resolver>> create(io::Loop& loop, const Settings& settings);
  // Lookups under way are forgotten: only together with the tasks that wait for them.
  ~Resolver();

  io::Task<Answer> query(std::string name, Type type);

  struct Impl;

 private:
  explicit Resolver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pinnace::dns
