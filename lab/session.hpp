// One connection to the interceptor: acts out an attack and keeps what mail it was handed.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attack.hpp"
#include "wire.hpp"

namespace lab {

struct Settings {
  const Attack* attack = nullptr;
  std::string name;                 // the receiver's, for the greeting
  SslContext server;                // with the attacker's certificate; none where no TLS is ever done
  SslContext client;                // towards the real receiver; trusts anything
  std::optional<Endpoint> forward;  // where the real receiver listens meanwhile
  std::vector<std::string> forged;  // EHLO lines without the reply code, such as "PKP MAX-AGE=60"
  std::size_t reset_after = 0;      // octets from the receiver that still pass
  std::string record;               // file to which everything handed over is added at once
};

class Session {
 public:
  // Takes the socket. `settings` outlives the session.
  Session(const Settings& settings, int fd) : settings_(settings), client_(fd) {}

  // Returns when the connection is over.
  void run();

  // {"attack":...,"tls":...,"commands":[...],"took":[...]}: one line of JSON, without its end.
  std::string report() const;

 private:
  void serve();
  bool serve_line(const std::string& line);
  bool start_tls();
  bool take_body();
  bool pass_on(const std::string& line);
  bool pass_body();
  bool open_upstream();
  void pass_until_reset();
  void took(const std::string& what);
  std::string ehlo_reply(bool forged) const;

  const Settings& settings_;
  Wire client_;
  std::unique_ptr<Wire> upstream_;
  bool inside_tls_ = false;
  std::vector<std::string> commands_;
  std::vector<std::string> took_;
};

}  // namespace lab
