// What a receiver says of its keys: the PKP and STSEC lines of an EHLO reply inside TLS
// (docs/pinning-protocol.md, "Wire format").
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "pins/pin.hpp"

namespace pinnace::pins {

enum class Scope : std::uint8_t { host, domain };
enum class Mode : std::uint8_t { enforce, report };
std::string_view to_string(Scope scope);  // "HOST", "DOMAIN"
std::string_view to_string(Mode mode);    // "ENFORCE", "REPORT"

inline constexpr std::size_t kMaxPins = 32;

struct AdvertisedPin {
  Pin pin;
  std::optional<base::Seconds> ttl;  // overrides the advert's max_age
  bool operator==(const AdvertisedPin&) const = default;
};

struct Advert {
  std::vector<AdvertisedPin> pins;
  std::optional<base::Seconds> max_age;
  Scope scope = Scope::host;
  Mode mode = Mode::enforce;
  std::string rua;

  // The time a pin is to be held: its own, else the advert's.
  base::Seconds lifetime(const AdvertisedPin& pin) const {
    return pin.ttl.value_or(max_age.value_or(base::Seconds(0)));
  }
  bool withdraws() const { return max_age == base::Seconds(0); }
  bool operator==(const Advert&) const = default;
};

// All PKP lines of one reply are one advert. `lines` are the texts behind "PKP", in order.
struct ParsedAdvert {
  std::optional<Advert> advert;       // only where it is valid
  std::vector<std::string> problems;  // of an invalid one: why; of a valid one: what was passed over
};
ParsedAdvert parse_advert(std::span<const std::string> lines);

// The advert as EHLO lines without code and CRLF ("PKP PIN-SHA256=..."), a pin a line, so that each
// stays within 512 octets (RFC 5321 4.5.3.1.5).
std::vector<std::string> ehlo_lines(const Advert& advert);

struct Stsec {
  base::Seconds max_age{};
};
// The text behind "STSEC".
base::Result<Stsec> parse_stsec(std::string_view parameters);
std::string ehlo_line(const Stsec& stsec);

}  // namespace pinnace::pins
