// How mail comes in: by the sender's domain, whether its messages came encrypted, and how.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tls/session.hpp"

namespace pinnace::gate {

// How a client's session is encrypted.
struct Encryption {
  enum class Version : std::uint8_t { none, tls12, tls13 };
  enum class Cipher : std::uint8_t { none, aes_gcm, chacha20, other };
  Version version = Version::none;
  Cipher cipher = Cipher::none;
  bool client_certificate = false;  // one was shown; nobody has looked at it

  static Encryption of(const tls::Handshake& handshake);
};

// Messages taken.
struct Tally {
  std::uint64_t messages = 0;
  std::uint64_t plain = 0;
  std::uint64_t tls12 = 0, tls13 = 0;
  std::uint64_t aes_gcm = 0, chacha20 = 0, other_cipher = 0;
  std::uint64_t client_certificate = 0;

  void add(const Encryption& encryption);
  void add(const Tally& other);
};

// Memory: the domains that sent most, and one sum of all others. Anybody may write any domain into MAIL FROM:
// this says how mail comes that claims to be theirs.
class Senders {
 public:
  static constexpr std::size_t kMost = 10'000;
  explicit Senders(std::size_t most = kMost) : most_(most) {}

  // `domain`: canonical; empty for the null reverse-path (RFC 5321 4.5.5).
  void count(const std::string& domain, const Encryption& encryption);

  struct Sender {
    std::string domain;
    Tally tally;
  };
  std::vector<Sender> top(std::size_t most) const;  // most messages first
  Tally others(std::size_t most) const;             // all that top(most) does not name
  std::size_t domains() const { return by_domain_.size(); }

 private:
  void make_room();

  std::size_t most_;
  std::unordered_map<std::string, Tally> by_domain_;
  Tally dropped_;
};

}  // namespace pinnace::gate
