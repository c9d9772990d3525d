#include "pins/advert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pinnace::pins {
namespace {

std::string upper(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

// 1*10DIGIT
std::optional<base::Seconds> parse_seconds(std::string_view s) {
  if (s.empty() || s.size() > 10 ||
      !std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  long long value = 0;
  std::from_chars(s.data(), s.data() + s.size(), value);
  return base::Seconds(value);
}

bool is_rua(std::string_view uri) {
  const std::string scheme = upper(uri.substr(0, uri.find(':')));
  const std::string_view rest = uri.substr(std::min(uri.size(), scheme.size() + 1));
  if (scheme == "MAILTO") return rest.find('@') != std::string_view::npos && rest.size() > 2;
  return scheme == "HTTPS" && rest.starts_with("//") && rest.size() > 2;
}

std::vector<std::string_view> words(std::string_view s) {
  std::vector<std::string_view> out;
  while (!s.empty()) {
    const std::size_t space = s.find(' ');
    if (space != 0) out.push_back(s.substr(0, space));
    s.remove_prefix(space == std::string_view::npos ? s.size() : space + 1);
  }
  return out;
}

class Parser {
 public:
  void line(std::string_view text) {
    std::vector<Pin> pins;
    std::optional<base::Seconds> ttl;
    for (const std::string_view word : words(text)) parameter(word, pins, ttl);
    if (ttl && pins.empty()) problems_.push_back("TTL on a line that has no pin means nothing");
    for (const Pin& pin : pins) add(pin, ttl);
  }

  ParsedAdvert end() {
    shorten();
    if (advert_.pins.size() > kMaxPins) invalid(fmt::format("more than {} pins", kMaxPins));
    if (advert_.pins.empty() && !advert_.withdraws()) invalid("no pin, and MAX-AGE is not 0");
    if (!advert_.max_age && std::any_of(advert_.pins.begin(), advert_.pins.end(),
                                        [](const AdvertisedPin& p) { return !p.ttl; })) {
      invalid("a pin has no lifetime: neither MAX-AGE nor a TTL on its line");
    }
    ParsedAdvert out;
    if (!invalid_) out.advert = std::move(advert_);
    out.problems = std::move(problems_);
    return out;
  }

 private:
  void invalid(std::string why) {
    invalid_ = true;
    if (problems_.size() < kMaxPins) problems_.push_back(std::move(why));
  }

  // A value may be said again, not otherwise.
  template <class T>
  void once(std::optional<T>& slot, const T& value, std::string_view name) {
    if (slot && *slot != value) invalid(fmt::format("{} occurs twice with different values", name));
    slot = value;
  }

  void parameter(std::string_view word, std::vector<Pin>& pins, std::optional<base::Seconds>& ttl) {
    // RFC 5321 4.1.1.1: ehlo-param is printable ASCII.
    if (!std::all_of(word.begin(), word.end(), [](char c) { return c > ' ' && c < 0x7f; })) {
      return invalid("a parameter has an octet that is not printable ASCII");
    }
    const std::size_t equals = word.find('=');
    const std::string name = upper(word.substr(0, equals));
    const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
    if (name == "PIN-SHA256" || name == "SHA256") {
      const auto pin = Pin::parse(value);
      if (!pin)
        return invalid(fmt::format("{}={} is not the base64 of 32 octets", name, value.substr(0, 60)));
      if (pins.size() <= kMaxPins) pins.push_back(*pin);
    } else if (name == "MAX-AGE" || name == "TTL") {
      const auto seconds = parse_seconds(value);
      if (!seconds) return invalid(fmt::format("{}={} is not 1 to 10 digits", name, value.substr(0, 60)));
      once(name == "TTL" ? ttl : advert_.max_age, *seconds, name);
    } else if (name == "SCOPE") {
      const std::string text = upper(value);
      if (text != "HOST" && text != "DOMAIN") return invalid("SCOPE is HOST or DOMAIN");
      once(scope_, text == "HOST" ? Scope::host : Scope::domain, name);
      advert_.scope = *scope_;
    } else if (name == "MODE") {
      const std::string text = upper(value);
      if (text != "ENFORCE" && text != "REPORT") return invalid("MODE is ENFORCE or REPORT");
      once(mode_, text == "ENFORCE" ? Mode::enforce : Mode::report, name);
      advert_.mode = *mode_;
    } else if (name == "RUA") {
      if (!is_rua(value)) return invalid("RUA is a mailto: or https: URI");
      once(rua_, std::string(value), name);
      advert_.rua = *rua_;
    }
    // Anything else, a pin of another algorithm too, is for somebody who knows it.
  }

  // A pin said twice counts once, for the shorter time: never hold a promise longer than it was given.
  void add(const Pin& pin, std::optional<base::Seconds> ttl) {
    const auto same = std::find_if(advert_.pins.begin(), advert_.pins.end(),
                                   [&](const AdvertisedPin& p) { return p.pin == pin; });
    if (!ttl) under_max_age_.push_back(pin);
    if (same == advert_.pins.end()) {
      if (advert_.pins.size() <= kMaxPins) advert_.pins.push_back({pin, ttl});
    } else if (ttl && (!same->ttl || *ttl < *same->ttl)) {
      same->ttl = ttl;
    }
  }

  // Once MAX-AGE is known: it bounds the pins that were (also) said without a TTL.
  void shorten() {
    for (AdvertisedPin& p : advert_.pins) {
      const bool bare =
          std::find(under_max_age_.begin(), under_max_age_.end(), p.pin) != under_max_age_.end();
      if (bare && p.ttl && advert_.max_age && *advert_.max_age < *p.ttl) p.ttl.reset();
    }
  }

  Advert advert_;
  std::vector<Pin> under_max_age_;
  std::optional<Scope> scope_;
  std::optional<Mode> mode_;
  std::optional<std::string> rua_;
  std::vector<std::string> problems_;
  bool invalid_ = false;
};

}  // namespace

std::string_view to_string(Scope scope) { return scope == Scope::host ? "HOST" : "DOMAIN"; }
std::string_view to_string(Mode mode) { return mode == Mode::enforce ? "ENFORCE" : "REPORT"; }

ParsedAdvert parse_advert(std::span<const std::string> lines) {
  Parser parser;
  for (const std::string& line : lines) parser.line(line);
  return parser.end();
}

std::vector<std::string> ehlo_lines(const Advert& advert) {
  std::vector<std::string> out;
  for (const AdvertisedPin& p : advert.pins) {
    out.push_back("PKP PIN-SHA256=" + p.pin.str() + (p.ttl ? fmt::format(" TTL={}", p.ttl->count()) : ""));
  }
  std::string rest = "PKP";
  if (advert.max_age) rest += fmt::format(" MAX-AGE={}", advert.max_age->count());
  if (advert.scope == Scope::domain) rest += " SCOPE=DOMAIN";
  if (advert.mode == Mode::report) rest += " MODE=REPORT";
  if (rest.size() > 3) out.push_back(rest);
  if (!advert.rua.empty()) out.push_back("PKP RUA=" + advert.rua);
  return out;
}

base::Result<Stsec> parse_stsec(std::string_view parameters) {
  const auto all = words(parameters);
  if (all.size() == 1 && upper(all[0].substr(0, 8)) == "MAX-AGE=") {
    if (const auto seconds = parse_seconds(all[0].substr(8))) return Stsec{*seconds};
  }
  return base::fail("pins.stsec", "STSEC takes MAX-AGE= and 1 to 10 digits, and nothing else");
}

std::string ehlo_line(const Stsec& stsec) { return fmt::format("STSEC MAX-AGE={}", stsec.max_age.count()); }

}  // namespace pinnace::pins
