#include "base/clock.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace pinnace::base {
namespace {

struct Parts {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<Seconds> time;
  std::chrono::weekday weekday;
};

Parts split(Time t) {
  const auto seconds = std::chrono::floor<Seconds>(t);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  return {std::chrono::year_month_day(day), std::chrono::hh_mm_ss<Seconds>(seconds - day),
          std::chrono::weekday(day)};
}

// Reads exactly `width` digits at `at`; -1 where there are none.
int digits(std::string_view s, std::size_t at, std::size_t width) {
  int value = 0;
  if (at + width > s.size()) return -1;
  for (std::size_t i = at; i < at + width; ++i) {
    if (s[i] < '0' || s[i] > '9') return -1;
    value = value * 10 + (s[i] - '0');
  }
  return value;
}

std::unexpected<Error> bad_time(std::string_view text) {
  return fail("base.time", fmt::format("'{}' is not a time: write 2026-11-23T18:27:51Z or seconds since "
                                       "1970",
                                       text));
}

}  // namespace

Time SystemClock::now() const {
  return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
}

std::string format_time(Time t) {
  const Parts p = split(t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", int(p.date.year()), unsigned(p.date.month()),
                     unsigned(p.date.day()), p.time.hours().count(), p.time.minutes().count(),
                     p.time.seconds().count());
}

std::string format_mail_date(Time t) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Parts p = split(t);
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", kDays[p.weekday.c_encoding()],
                     unsigned(p.date.day()), kMonths[unsigned(p.date.month()) - 1], int(p.date.year()),
                     p.time.hours().count(), p.time.minutes().count(), p.time.seconds().count());
}

Result<Time> parse_time(std::string_view text) {
  std::string_view s = text;
  if (s.starts_with('@')) s.remove_prefix(1);
  long long seconds = 0;
  const auto [end, code] = std::from_chars(s.data(), s.data() + s.size(), seconds);
  if (!s.empty() && code == std::errc{} && end == s.data() + s.size()) {
    if (seconds > 253402300799LL || seconds < -62135596800LL) return bad_time(text);  // years 1 to 9999
    return Time(Seconds(seconds));
  }
  const int year = digits(s, 0, 4), month = digits(s, 5, 2), day = digits(s, 8, 2);
  const int hour = digits(s, 11, 2), minute = digits(s, 14, 2), second = digits(s, 17, 2);
  if (s.size() < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
      s[13] != ':' || s[16] != ':' || year < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60) {
    return bad_time(text);
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(unsigned(month)),
                                         std::chrono::day(unsigned(day))};
  if (month < 0 || day < 0 || !date.ok()) return bad_time(text);
  std::size_t at = 19;
  if (s[at] == '.') {
    if (digits(s, ++at, 1) < 0) return bad_time(text);
    while (at < s.size() && s[at] >= '0' && s[at] <= '9') ++at;
  }
  const std::string_view zone = s.substr(at);
  std::chrono::minutes offset{0};
  if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
    const int h = digits(zone, 1, 2), m = digits(zone, 4, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59) return bad_time(text);
    offset = std::chrono::minutes((zone[0] == '-' ? -1 : 1) * (h * 60 + m));
  } else if (zone != "Z" && zone != "z") {
    return bad_time(text);
  }
  return Time(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
              std::chrono::minutes(minute) + Seconds(second) - offset);
}

Result<Seconds> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return fail("base.duration", fmt::format("'{}' is not a duration: write 45s, 90m, 1h30m or 5d", text));
  };
  std::string_view s = text;
  if (s.empty()) return bad();
  long long total = 0;
  while (!s.empty()) {
    long long value = 0;
    const auto [end, code] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (code != std::errc{} || value < 0 || value > 10'000'000'000LL) return bad();
    s.remove_prefix(static_cast<std::size_t>(end - s.data()));
    long long unit = 1;
    if (!s.empty()) {
      switch (s.front()) {
        case 'd':
          unit = 86400;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'm':
          unit = 60;
          break;
        case 's':
          unit = 1;
          break;
        default:
          return bad();
      }
      s.remove_prefix(1);
    }
    total += value * unit;
    if (total > 10'000'000'000LL) return bad();
  }
  return Seconds(total);
}

std::string format_duration(Seconds d) {
  long long left = d.count();
  if (left == 0) return "0s";
  std::string out;
  if (left < 0) {
    out += '-';
    left = -left;
  }
  for (const auto& [unit, letter] : {std::pair{86400LL, 'd'}, {3600LL, 'h'}, {60LL, 'm'}, {1LL, 's'}}) {
    if (left >= unit) out += fmt::format("{}{}", left / unit, letter);
    left %= unit;
  }
  return out;
}

}  // namespace pinnace::base
