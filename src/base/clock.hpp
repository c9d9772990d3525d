// Time for logic. Nothing below io reads the wall clock: it is given a Clock or a Time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::base {

using Seconds = std::chrono::seconds;
using Milliseconds = std::chrono::milliseconds;
using Time = std::chrono::sys_time<Milliseconds>;  // UTC

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
};

// For tests: sixty days pass in a millisecond.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start) : now_(start) {}
  Time now() const override { return now_; }
  void advance(Milliseconds by) { now_ += by; }
  void set(Time to) { now_ = to; }

 private:
  Time now_;
};

// "2026-11-23T18:27:51Z" (RFC 3339, UTC, whole seconds).
std::string format_time(Time t);

// RFC 3339 with "Z" or a numeric offset, or "@SECONDS" / plain digits since the epoch.
Result<Time> parse_time(std::string_view text);

// "Mon, 23 Nov 2026 18:27:51 +0000" (RFC 5322 3.3).
std::string format_mail_date(Time t);

// "5d", "90m", "1h30m", "45s", "0": units d h m s; plain digits are seconds.
Result<Seconds> parse_duration(std::string_view text);
// The inverse, largest units first, for people: "2d3h", "45s", "0s".
std::string format_duration(Seconds d);

}  // namespace pinnace::base
