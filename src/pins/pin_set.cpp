#include "pins/pin_set.hpp"

#include <algorithm>

#include "base/record.hpp"

namespace pinnace::pins {
namespace {

constexpr std::uint8_t kVersion = 1;

std::int64_t to_ms(base::Time t) { return t.time_since_epoch().count(); }
base::Time from_ms(std::int64_t ms) { return base::Time(base::Milliseconds(ms)); }

std::string_view octets(const Pin& pin) {
  return {reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size()};
}

}  // namespace

std::string_view to_string(Basis basis) {
  switch (basis) {
    case Basis::first_use:
      return "first-use";
    case Basis::authenticated:
      return "authenticated";
    case Basis::operator_rule:
      break;
  }
  return "operator";
}

std::string_view to_string(Stage stage) { return stage == Stage::provisional ? "provisional" : "enforced"; }

base::Time PinSet::expires() const {
  base::Time latest{};
  for (const NotedPin& p : pins) latest = std::max(latest, p.expires);
  return latest;
}

std::vector<Pin> PinSet::live_pins(base::Time now) const {
  std::vector<Pin> out;
  for (const NotedPin& p : pins) {
    if (now < p.expires) out.push_back(p.pin);
  }
  return out;
}

std::string PinSet::key() const { return (scope == Scope::host ? "host/" : "domain/") + name; }

std::string PinSet::encode() const {
  base::RecordWriter out;
  out.u8(kVersion);
  out.u8(static_cast<std::uint8_t>(scope));
  out.text(name);
  out.u8(static_cast<std::uint8_t>(mode));
  out.u32(static_cast<std::uint32_t>(pins.size()));
  for (const NotedPin& p : pins) {
    out.text(octets(p.pin));
    out.i64(to_ms(p.expires));
  }
  out.u8(static_cast<std::uint8_t>(basis));
  out.u8(static_cast<std::uint8_t>(stage));
  out.i64(to_ms(noted));
  out.i64(to_ms(first_matched));
  out.i64(to_ms(last_matched));
  out.u32(matched_sessions);
  out.text(noted_from);
  out.u32(static_cast<std::uint32_t>(hosts.size()));
  for (const std::string& h : hosts) out.text(h);
  out.text(rua);
  return out.take();
}

base::Result<PinSet> PinSet::decode(std::string_view record) {
  base::RecordReader in(record);
  const auto bad = [] {
    return base::fail("pins.record", "a stored pin set is damaged or of an unknown version");
  };
  if (in.u8() != kVersion) return bad();
  PinSet s;
  const std::uint8_t scope = in.u8();
  s.name = in.text();
  const std::uint8_t mode = in.u8();
  s.pins.resize(in.count(4 + 32 + 8));
  for (NotedPin& p : s.pins) {
    const std::string hash = in.text();
    p.expires = from_ms(in.i64());
    if (hash.size() != p.pin.sha256.size()) return bad();
    std::copy(hash.begin(), hash.end(), p.pin.sha256.begin());
  }
  const std::uint8_t basis = in.u8(), stage = in.u8();
  s.noted = from_ms(in.i64());
  s.first_matched = from_ms(in.i64());
  s.last_matched = from_ms(in.i64());
  s.matched_sessions = in.u32();
  s.noted_from = in.text();
  s.hosts.resize(in.count(4));
  for (std::string& h : s.hosts) h = in.text();
  s.rua = in.text();
  if (!in.at_end() || scope > 1 || mode > 1 || basis > 2 || stage > 1) return bad();
  s.scope = static_cast<Scope>(scope);
  s.mode = static_cast<Mode>(mode);
  s.basis = static_cast<Basis>(basis);
  s.stage = static_cast<Stage>(stage);
  return s;
}

std::string StsecRecord::encode() const {
  base::RecordWriter out;
  out.u8(kVersion);
  out.text(host);
  out.i64(to_ms(noted));
  out.i64(to_ms(expires));
  return out.take();
}

base::Result<StsecRecord> StsecRecord::decode(std::string_view record) {
  base::RecordReader in(record);
  StsecRecord s;
  const bool known = in.u8() == kVersion;
  s.host = in.text();
  s.noted = from_ms(in.i64());
  s.expires = from_ms(in.i64());
  if (!known || !in.at_end()) return base::fail("pins.record", "a stored STSEC record is damaged");
  return s;
}

}  // namespace pinnace::pins
