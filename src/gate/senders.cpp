#include "gate/senders.hpp"

#include <algorithm>

namespace pinnace::gate {
namespace {

bool more(const Senders::Sender& a, const Senders::Sender& b) {
  return a.tally.messages != b.tally.messages ? a.tally.messages > b.tally.messages : a.domain < b.domain;
}

}  // namespace

Encryption Encryption::of(const tls::Handshake& handshake) {
  const auto names = [&](std::string_view part) { return handshake.cipher.find(part) != std::string::npos; };
  return {handshake.version == "TLSv1.3" ? Version::tls13 : Version::tls12,
          names("GCM")        ? Cipher::aes_gcm
          : names("CHACHA20") ? Cipher::chacha20
                              : Cipher::other,
          handshake.client_certificate};
}

void Tally::add(const Encryption& e) {
  ++messages;
  plain += e.version == Encryption::Version::none;
  tls12 += e.version == Encryption::Version::tls12;
  tls13 += e.version == Encryption::Version::tls13;
  aes_gcm += e.cipher == Encryption::Cipher::aes_gcm;
  chacha20 += e.cipher == Encryption::Cipher::chacha20;
  other_cipher += e.cipher == Encryption::Cipher::other;
  client_certificate += e.client_certificate;
}

void Tally::add(const Tally& other) {
  for (auto field : {&Tally::messages, &Tally::plain, &Tally::tls12, &Tally::tls13, &Tally::aes_gcm,
                     &Tally::chacha20, &Tally::other_cipher, &Tally::client_certificate})
    this->*field += other.*field;
}

void Senders::count(const std::string& domain, const Encryption& encryption) {
  if (by_domain_.size() >= most_ && !by_domain_.contains(domain)) make_room();
  by_domain_[domain].add(encryption);
}

// The half that sent least is summed up: a flood of domains that come once cannot drive out the large ones.
void Senders::make_room() {
  const std::vector<Sender> all = top(by_domain_.size());
  for (std::size_t i = most_ / 2; i < all.size(); ++i) {
    dropped_.add(all[i].tally);
    by_domain_.erase(all[i].domain);
  }
}

std::vector<Senders::Sender> Senders::top(std::size_t most) const {
  std::vector<Sender> out;
  out.reserve(by_domain_.size());
  for (const auto& [domain, tally] : by_domain_) out.push_back({domain, tally});
  const std::size_t kept = std::min(most, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(kept), out.end(), more);
  out.resize(kept);
  return out;
}

Tally Senders::others(std::size_t most) const {
  Tally out = dropped_;
  const std::vector<Sender> all = top(by_domain_.size());
  for (std::size_t i = most; i < all.size(); ++i) out.add(all[i].tally);
  return out;
}

}  // namespace pinnace::gate
