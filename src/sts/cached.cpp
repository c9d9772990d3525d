#include "sts/cached.hpp"

#include "base/record.hpp"

namespace pinnace::sts {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::int64_t kLatest =
    253'402'300'800'000;  // the year 10000: nothing that is added to it overflows

std::int64_t to_ms(base::Time t) { return t.time_since_epoch().count(); }
base::Time from_ms(std::int64_t ms) { return base::Time(base::Milliseconds(ms)); }

}  // namespace

std::string Cached::encode() const {
  base::RecordWriter out;
  out.u8(kVersion);
  out.text(domain);
  out.text(id);
  out.i64(to_ms(fetched));
  out.i64(to_ms(refresh));
  out.text(body);
  return out.take();
}

base::Result<Cached> Cached::decode(std::string_view record) {
  base::RecordReader in(record);
  Cached c;
  const bool known = in.u8() == kVersion;
  c.domain = in.text();
  c.id = in.text();
  c.fetched = from_ms(in.i64());
  c.refresh = from_ms(in.i64());
  c.body = in.text();
  const auto possible = [](base::Time t) { return to_ms(t) >= 0 && to_ms(t) < kLatest; };
  ParsedPolicy parsed;
  if (known && in.at_end() && possible(c.fetched) && possible(c.refresh)) parsed = parse_policy(c.body);
  if (!parsed.policy) {
    return base::fail("sts.record", "a stored MTA-STS policy is damaged or of an unknown version");
  }
  c.policy = std::move(*parsed.policy);
  return c;
}

}  // namespace pinnace::sts
