#include "dane/tlsa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

namespace pinnace::dane {
namespace {

constexpr std::size_t kMaxData = 16 << 10;  // no certificate that a server shows is larger

std::unexpected<base::Error> bad(std::string why) {
  return base::fail("dane.tlsa", "RFC 6698 2.2: " + std::move(why));
}

// The words of one record in a zone file. RFC 1035 5.1: ';' begins a comment, and the end of a line is the
// record's, unless it is in parentheses.
class Words {
 public:
  base::Result<std::vector<std::string_view>> read(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      const bool begun = !words_.empty() && depth_ == 0;
      const std::size_t before = words_.size();
      take_line(line.substr(0, line.find(';')));
      if (begun && words_.size() > before)
        return bad("one record is expected, and there is more than a line");
    }
    if (depth_ != 0 || unopened_) return bad("a parenthesis has no counterpart");
    return std::move(words_);
  }

 private:
  void take_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t end = std::min(line.find_first_of(" \t()", at), line.size());
      if (end > at) words_.push_back(line.substr(at, end - at));
      if (end < line.size() && line[end] == '(') ++depth_;
      if (end < line.size() && line[end] == ')') depth_ == 0 ? void(unopened_ = true) : void(--depth_);
      at = end + 1;
    }
  }

  std::vector<std::string_view> words_;
  std::size_t depth_ = 0;
  bool unopened_ = false;
};

bool same(std::string_view word, std::string_view upper) {
  return std::equal(word.begin(), word.end(), upper.begin(), upper.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
  });
}

bool number(std::string_view word, std::uint8_t& out) {
  unsigned value = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code != std::errc{} || end != word.data() + word.size() || value > 255) return false;
  out = static_cast<std::uint8_t>(value);
  return true;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_ttl(std::string_view word) {
  return word.size() <= 10 &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// RFC 1035 5.1: [owner] and, in either order, [TTL] [class] stand in front of the type.
bool drop_front(std::vector<std::string_view>& all) {
  std::size_t type = std::min<std::size_t>(all.size(), 4);
  while (type > 0 && !same(all[type - 1], "TLSA")) --type;
  if (type == 0) return true;
  bool ttl = false, in = false;
  for (std::size_t i = 0; i + 1 < type; ++i) {
    if (!ttl && is_ttl(all[i])) {
      ttl = true;
    } else if (!in && same(all[i], "IN")) {
      in = true;
    } else if (i != 0) {
      return false;
    }
  }
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(type));
  return true;
}

// The words as one string of hexadecimal digits.
base::Result<std::string> octets(std::span<const std::string_view> words) {
  std::string out;
  int high = -1;
  for (const std::string_view word : words) {
    for (const char c : word) {
      const int value = digit(c);
      if (value < 0) return bad("the data is hexadecimal digits");
      if (high >= 0) out += static_cast<char>(high << 4 | value);
      high = high >= 0 ? -1 : value;
    }
  }
  if (high >= 0) return bad("the data has an odd number of digits");
  return out;
}

}  // namespace

std::optional<Tlsa> Tlsa::parse_wire(std::string_view rdata) {
  if (rdata.size() < 4 || rdata.size() > kMaxData) return std::nullopt;
  return Tlsa{static_cast<std::uint8_t>(rdata[0]), static_cast<std::uint8_t>(rdata[1]),
              static_cast<std::uint8_t>(rdata[2]), std::string(rdata.substr(3)), true};
}

base::Result<Tlsa> Tlsa::parse_text(std::string_view text) {
  if (text.size() > 3 * kMaxData) return bad("the record is too long");
  auto words = Words().read(text);
  if (!words) return std::unexpected(words.error());
  std::vector<std::string_view>& all = *words;
  if (!drop_front(all))
    return bad("an owner, a TTL and the class IN may stand in front of TLSA, nothing else");
  Tlsa out;
  if (all.size() < 4) return bad("four fields are expected: usage selector matching-type hex");
  const std::pair<const char*, std::uint8_t*> fields[] = {
      {"certificate usage", &out.usage}, {"selector", &out.selector}, {"matching type", &out.matching}};
  for (std::size_t i = 0; i < 3; ++i) {
    if (number(all[i], *fields[i].second)) continue;
    return bad(
        fmt::format("the {} is a number from 0 to 255, not '{}'", fields[i].first, all[i].substr(0, 40)));
  }
  auto data = octets(std::span(all).subspan(3));
  if (!data) return std::unexpected(data.error());
  out.data = std::move(*data);
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
