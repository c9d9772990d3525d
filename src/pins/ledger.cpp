#include "pins/ledger.hpp"

#include <algorithm>

#include "base/record.hpp"

namespace pinnace::pins {
namespace {

constexpr std::uint8_t kVersion = 1;
// A clock may be far ahead for a while: what seems over is kept, and is history meanwhile.
constexpr base::Seconds kForgetAfter = std::chrono::days(366);

std::vector<Pin> sorted(std::vector<Pin> pins) {
  std::sort(pins.begin(), pins.end());
  pins.erase(std::unique(pins.begin(), pins.end()), pins.end());
  return pins;
}

Promise promise_of(const Advert& advert, base::Time now) {
  Promise p;
  // Each pin is promised for the longest that any of them is.
  for (const AdvertisedPin& a : advert.pins) {
    p.pins.push_back(a.pin);
    p.max_age = std::max(p.max_age, advert.lifetime(a));
  }
  p.pins = sorted(std::move(p.pins));
  p.scope = advert.scope;
  p.mode = advert.mode;
  p.first_said = now;
  return p;
}

bool same(const Promise& a, const Promise& b) {
  return a.pins == b.pins && a.scope == b.scope && a.mode == b.mode && a.max_age == b.max_age && !a.assumed &&
         !b.assumed && !a.broken && !b.broken;
}

bool met(const Promise& promise, const Vouchers& certificate) {
  return std::any_of(certificate.begin(), certificate.end(),
                     [&](const Pin& key) { return promise.holds(key); });
}

// A host name has several certificates, and a sender may be shown any of them.
bool met(const Promise& promise, std::span<const Vouchers> certificates) {
  return !certificates.empty() && std::all_of(certificates.begin(), certificates.end(),
                                              [&](const Vouchers& one) { return met(promise, one); });
}

}  // namespace

base::Seconds margin(base::Seconds max_age) {
  return std::clamp<base::Seconds>(max_age / 24, std::chrono::seconds(1), std::chrono::hours(1));
}

bool Promise::holds(const Pin& pin) const { return std::binary_search(pins.begin(), pins.end(), pin); }

base::Time Ledger::covered_until(const Advert& advert) const {
  const Promise wanted = promise_of(advert, {});
  for (const Promise& p : promises_) {
    if (same(p, wanted)) return p.said_until;
  }
  return {};
}

bool Ledger::covers(const Advert& advert, base::Time now) const {
  return advert.withdraws() || now <= covered_until(advert);
}

bool Ledger::cover(const Advert& advert, base::Time now) {
  if (advert.withdraws()) return true;
  std::erase_if(promises_, [&](const Promise& p) { return p.ends() + kForgetAfter <= now; });
  Promise wanted = promise_of(advert, now);
  const base::Time until = now + 2 * margin(wanted.max_age);
  const auto there =
      std::find_if(promises_.begin(), promises_.end(), [&](const Promise& p) { return same(p, wanted); });
  if (there != promises_.end()) {
    // Its beginning is that of the time in which it was never over.
    if (!there->outstanding(now)) there->first_said = now;
    there->said_until = std::max(there->said_until, until);
    return true;
  }
  if (promises_.size() >= kMostPromises)
    std::erase_if(promises_, [&](const Promise& p) { return !p.outstanding(now); });
  if (promises_.size() >= kMostPromises) return false;
  if (promises_.empty()) {
    first_promise_ = now;
    begin_ramp(now);
  }
  wanted.said_until = until;
  promises_.push_back(std::move(wanted));
  return true;
}

std::optional<Obstacle> Ledger::obstacle(std::span<const Vouchers> certificates, base::Time now) const {
  std::optional<Obstacle> out;
  for (const Promise& p : promises_) {
    if (!p.binds(now) || met(p, certificates)) continue;
    if (!out) out.emplace();
    ++out->promises;
    if (out->until < p.ends()) {
      out->until = p.ends();
      out->promise = p;
    }
  }
  return out;
}

std::vector<Promise> Ledger::break_for(std::span<const Vouchers> certificates, base::Time now) {
  std::vector<Promise> out;
  for (Promise& p : promises_) {
    if (!p.binds(now) || met(p, certificates)) continue;
    p.broken = true;
    out.push_back(p);
  }
  if (!out.empty()) begin_ramp(now);
  return out;
}

void Ledger::assume(std::vector<Pin> live, base::Seconds longest, base::Time now) {
  Promise p;
  p.pins = sorted(std::move(live));
  p.max_age = longest;
  p.first_said = p.said_until = now;
  p.assumed = true;
  std::erase_if(promises_,
                [&](const Promise& o) { return o.assumed && o.pins == p.pins && o.ends() <= p.ends(); });
  // What has long been promised was in force; a week of MODE=REPORT would take that back.
  if (promises_.empty()) first_promise_ = now - kReportFirst;
  promises_.push_back(std::move(p));
  begin_ramp(now);
}

void Ledger::begin_ramp(base::Time now) {
  step_ = 0;
  step_since_ = now;
  renewals_ = 0;
}

void Ledger::serve(const std::string& certificates, base::Time now) {
  if (certificates == served_) return;
  if (served_.empty()) {
    step_since_ = now;
  } else {
    ++renewals_;
  }
  served_ = certificates;
}

Terms Ledger::terms(const Schedule& schedule, base::Time now) {
  const auto& ramp = schedule.ramp;
  if (step_ + 1 < ramp.size() && renewals_ > 0 && now - step_since_ >= ramp[step_]) {
    ++step_;
    step_since_ = now;
    renewals_ = 0;
  }
  Terms out;
  out.max_age =
      ramp.empty() ? schedule.max_age : std::min(schedule.max_age, ramp[std::min(step_, ramp.size() - 1)]);
  const bool first_week = promises_.empty() || now - first_promise_ < kReportFirst;
  out.mode = schedule.mode.value_or(first_week ? Mode::report : Mode::enforce);
  return out;
}

std::optional<base::Time> Ledger::promised_since(const Pin& key, base::Time now) const {
  std::optional<base::Time> out;
  for (const Promise& p : promises_) {
    if (p.outstanding(now) && p.holds(key)) out = std::min(out.value_or(p.first_said), p.first_said);
  }
  return out;
}

base::Time Ledger::thin_until(std::span<const Pin> keys, base::Time now) const {
  base::Time out = now;
  for (const Promise& p : promises_) {
    const auto held = std::count_if(keys.begin(), keys.end(), [&](const Pin& k) { return p.holds(k); });
    if (p.binds(now) && held < 2) out = std::max(out, p.ends());
  }
  return out;
}

std::string Ledger::encode() const {
  base::RecordWriter w;
  w.u8(kVersion);
  w.i64(first_promise_.time_since_epoch().count());
  w.u32(static_cast<std::uint32_t>(step_));
  w.i64(step_since_.time_since_epoch().count());
  w.u32(renewals_);
  w.text(served_);
  w.u32(static_cast<std::uint32_t>(promises_.size()));
  for (const Promise& p : promises_) {
    w.u32(static_cast<std::uint32_t>(p.pins.size()));
    for (const Pin& pin : p.pins)
      w.text({reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size()});
    w.u8(static_cast<std::uint8_t>(p.scope));
    w.u8(static_cast<std::uint8_t>(p.mode));
    w.i64(p.max_age.count());
    w.i64(p.first_said.time_since_epoch().count());
    w.i64(p.said_until.time_since_epoch().count());
    w.u8(static_cast<std::uint8_t>((p.assumed ? 1 : 0) | (p.broken ? 2 : 0)));
  }
  return w.take();
}

namespace {

// No clock is before 1970 or past the year 9999, and a MAX-AGE has ten digits at most: so no sum overflows.
bool read_time(base::RecordReader& r, base::Time& time) {
  const std::int64_t ms = r.i64();
  time = base::Time(base::Milliseconds(ms));
  return ms >= 0 && ms < 253'402'300'800'000;
}
constexpr base::Seconds kLongest(9'999'999'999);

bool read_pin(base::RecordReader& r, Pin& pin) {
  const std::string octets = r.text();
  if (octets.size() != pin.sha256.size()) return false;
  std::copy(octets.begin(), octets.end(), pin.sha256.begin());
  return true;
}

bool read_promise(base::RecordReader& r, Promise& p) {
  const std::uint32_t pins = r.count(4);
  for (std::uint32_t i = 0; i < pins; ++i) {
    Pin pin;
    if (!read_pin(r, pin)) return false;
    p.pins.push_back(pin);
  }
  const std::uint8_t scope = r.u8();
  const std::uint8_t mode = r.u8();
  p.max_age = base::Seconds(r.i64());
  const bool times = read_time(r, p.first_said) && read_time(r, p.said_until);
  const std::uint8_t flags = r.u8();
  p.scope = static_cast<Scope>(scope);
  p.mode = static_cast<Mode>(mode);
  p.assumed = flags & 1;
  p.broken = flags & 2;
  return !r.failed() && times && !p.pins.empty() && scope <= 1 && mode <= 1 && p.max_age > base::Seconds(0) &&
         p.max_age <= kLongest && flags <= 3 && std::is_sorted(p.pins.begin(), p.pins.end());
}

}  // namespace

base::Result<Ledger> Ledger::decode(std::string_view record) {
  const auto damaged = [] { return base::fail("pins.ledger", "the record of a ledger is damaged"); };
  base::RecordReader r(record);
  Ledger out;
  if (const std::uint8_t version = r.u8(); version != kVersion) {
    if (r.failed() || version == 0) return damaged();
    return base::fail("pins.ledger", "a newer pinnace wrote this ledger: use that one, or a newer");
  }
  const bool first = read_time(r, out.first_promise_);
  out.step_ = r.u32();
  if (!read_time(r, out.step_since_) || !first) return damaged();
  out.renewals_ = r.u32();
  out.served_ = r.text();
  const std::uint32_t promises = r.count(30);
  for (std::uint32_t i = 0; i < promises; ++i) {
    Promise p;
    if (!read_promise(r, p)) return damaged();
    out.promises_.push_back(std::move(p));
  }
  if (!r.at_end()) return damaged();
  return out;
}

}  // namespace pinnace::pins
