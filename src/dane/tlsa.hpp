// TLSA records (RFC 6698, RFC 7671) as SMTP uses them (RFC 7672): which of them can authenticate a
// server, and under which name they are looked for. No DNS and no certificates in here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pinnace::dane {

// RFC 7218 2: the numbers by their names.
enum : std::uint8_t { kPkixTa = 0, kPkixEe = 1, kDaneTa = 2, kDaneEe = 3 };
enum : std::uint8_t { kCert = 0, kSpki = 1 };
enum : std::uint8_t { kFull = 0, kSha256 = 1, kSha512 = 2 };

struct Tlsa {
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching = 0;
  std::string data;         // octets
  bool well_formed = true;  // false: a full value that is no certificate or key (tls::well_formed)

  // RFC 6698 2.1; nothing where it is cut short.
  static std::optional<Tlsa> parse_wire(std::string_view rdata);
  // One record in the presentation form of RFC 6698 2.2: "3 1 1 ab12...". As in a zone file, an owner, TTL,
  // class and type may stand in front, blanks within the hex, parentheses around lines, and comments behind
  // ';'. The numbers are numbers: the names of RFC 7218 are for people. Error "dane.tlsa".
  static base::Result<Tlsa> parse_text(std::string_view text);
  std::string str() const;  // "3 1 1 ab12..."
  bool operator==(const Tlsa&) const = default;
};

// Why a record cannot authenticate an SMTP server, with its RFC section; empty: it can.
std::string why_unusable(const Tlsa& record);

// Those that can, the strongest digest of each usage and selector and every full value (RFC 7671 9).
std::vector<Tlsa> usable(const std::vector<Tlsa>& records);

// What the DNS said of a host's TLSA records.
struct HostTlsa {
  enum class Kind {
    not_applicable,  // an address literal, or the host's address is not secured by DNSSEC
    none,            // denied, securely or not, or insecure: DANE does not apply (RFC 7672 2.2)
    records,         // secure, at least one
    failure,         // bogus or no answer: the host must not be used now (RFC 7672 2.1.2)
  };
  Kind kind = Kind::not_applicable;
  std::string base;  // the TLSA base domain: SNI, and reference identifier of usage 2
  std::vector<Tlsa> records;
  std::string detail;  // why, for people
};

// "_25._tcp.mx.example.org" (RFC 7672 2.2.3).
std::string owner(const std::string& base, std::uint16_t port);

// Where to look, in order (RFC 7672 2.2.2): the fully expanded name where every CNAME is secure, then the
// name as it was given; never one between. `alias_secure`: the host's own CNAME record is, where
// the addresses behind it are not. Empty: DANE does not apply.
struct Expansion {
  std::string host;
  std::string canonical;  // empty or `host`: no alias
  bool addresses_secure = false;
  bool alias_secure = false;
};
std::vector<std::string> base_domains(const Expansion& expansion);

}  // namespace pinnace::dane
