#include "dane/tlsa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pinnace::dane {
namespace {

constexpr std::size_t kMaxData = 16 << 10;  // no certificate that a server shows is larger

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n()", at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool same(std::string_view word, std::string_view upper) {
  return std::equal(word.begin(), word.end(), upper.begin(), upper.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
  });
}

bool number(std::string_view word, std::uint8_t& out) {
  unsigned value = 0;
  const char* const last = word.data() + word.size();
  const auto [end, code] = std::from_chars(word.data(), last, value);
  if (code != std::errc{} || end != last || value > 255) return false;
  out = static_cast<std::uint8_t>(value);
  return true;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::optional<Tlsa> Tlsa::parse_wire(std::string_view rdata) {
  if (rdata.size() < 4 || rdata.size() > kMaxData) return std::nullopt;
  return Tlsa{static_cast<std::uint8_t>(rdata[0]), static_cast<std::uint8_t>(rdata[1]),
              static_cast<std::uint8_t>(rdata[2]), std::string(rdata.substr(3)), true};
}

base::Result<Tlsa> Tlsa::parse_text(std::string_view text) {
  if (text.size() > 3 * kMaxData) return base::fail("dane.tlsa", "the record is too long");
  std::vector<std::string_view> all = words(text);
  const auto type = std::find_if(all.begin(), all.end(), [](auto w) { return same(w, "TLSA"); });
  if (type != all.end()) all.erase(all.begin(), type + 1);
  Tlsa out;
  if (all.size() < 4) {
    return base::fail("dane.tlsa",
                      "RFC 6698 2.2: four fields are expected: usage selector matching-type hex");
  }
  const std::pair<const char*, std::uint8_t*> fields[] = {
      {"certificate usage", &out.usage}, {"selector", &out.selector}, {"matching type", &out.matching}};
  for (std::size_t i = 0; i < 3; ++i) {
    if (number(all[i], *fields[i].second)) continue;
    return base::fail("dane.tlsa", fmt::format("RFC 6698 2.2: the {} is a number from 0 to 255, not '{}'",
                                               fields[i].first, all[i].substr(0, 40)));
  }
  int high = -1;
  for (std::size_t i = 3; i < all.size(); ++i) {
    for (const char c : all[i]) {
      const int value = digit(c);
      if (value < 0) return base::fail("dane.tlsa", "RFC 6698 2.2: the data is hexadecimal digits");
      if (high >= 0) out.data += static_cast<char>(high << 4 | value);
      high = high >= 0 ? -1 : value;
    }
  }
  if (high >= 0) return base::fail("dane.tlsa", "RFC 6698 2.2: the data has an odd number of digits");
  return out;
}

std::string Tlsa::str() const {
  std::string out = fmt::format("{} {} {} ", usage, selector, matching);
  for (const char c : data) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string why_unusable(const Tlsa& r) {
  if (r.usage == kPkixTa || r.usage == kPkixEe) {
    return fmt::format("RFC 7672 3.1.3: certificate usage {} is not for SMTP", r.usage);
  }
  if (r.usage > kDaneEe) return fmt::format("RFC 6698 2.1.1: certificate usage {} is not known", r.usage);
  if (r.selector > kSpki) return fmt::format("RFC 6698 2.1.2: selector {} is not known", r.selector);
  if (r.matching > kSha512) return fmt::format("RFC 6698 2.1.3: matching type {} is not known", r.matching);
  const std::size_t digest = r.matching == kSha256 ? 32 : r.matching == kSha512 ? 64 : 0;
  if (digest != 0 && r.data.size() != digest) {
    return fmt::format("RFC 6698 2.1.3: a digest of matching type {} has {} octets, not {}", r.matching,
                       digest, r.data.size());
  }
  if (!r.well_formed) return "RFC 6698 2.1.4: the data is not the certificate or key that it is said to be";
  if (r.data.empty()) return "RFC 6698 2.1.4: there is no data";
  return {};
}

std::vector<Tlsa> usable(const std::vector<Tlsa>& records) {
  std::vector<Tlsa> out;
  for (const Tlsa& r : records) {
    if (why_unusable(r).empty()) out.push_back(r);
  }
  // RFC 7671 9: beside SHA2-512, a SHA2-256 of the same usage and selector is passed over.
  const auto stronger = [all = out](const Tlsa& weak) {
    return weak.matching == kSha256 && std::any_of(all.begin(), all.end(), [&](const Tlsa& r) {
             return r.matching == kSha512 && r.usage == weak.usage && r.selector == weak.selector;
           });
  };
  std::erase_if(out, stronger);
  return out;
}

std::string owner(const std::string& base, std::uint16_t port) {
  return fmt::format("_{}._tcp.{}", port, base);
}

std::vector<std::string> base_domains(const Expansion& e) {
  const bool alias = !e.canonical.empty() && e.canonical != e.host;
  if (!alias) return e.addresses_secure ? std::vector{e.host} : std::vector<std::string>{};
  if (e.addresses_secure) return {e.canonical, e.host};
  return e.alias_secure ? std::vector{e.host} : std::vector<std::string>{};
}

}  // namespace pinnace::dane
