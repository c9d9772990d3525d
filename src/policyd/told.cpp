#include "policyd/told.hpp"

#include <algorithm>

#include "base/record.hpp"

namespace pinnace::policyd {
namespace {

constexpr std::uint8_t kVersion = 1;

std::int64_t number(base::Time t) { return t.time_since_epoch().count(); }
base::Time time(std::int64_t n) { return base::Time(base::Milliseconds(n)); }

void put(base::RecordWriter& out, const std::vector<std::string>& texts) {
  out.u32(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

std::vector<std::string> take(base::RecordReader& in) {
  std::vector<std::string> out(in.count(4));
  for (std::string& text : out) text = in.text();
  return out;
}

}  // namespace

const Told::Reply* Told::find(std::string_view map) const {
  const auto at =
      std::find_if(replies.begin(), replies.end(), [map](const Reply& r) { return r.map == map; });
  return at == replies.end() ? nullptr : &*at;
}

bool Told::demanding() const {
  return std::any_of(replies.begin(), replies.end(), [](const Reply& r) { return r.demanding; });
}

base::Time Told::over() const { return demanding() ? std::max(usable, made + kStale) : usable; }

std::string Told::encode() const {
  base::RecordWriter out;
  out.u8(kVersion);
  out.text(key);
  for (const base::Time t : {made, refresh, usable}) out.i64(number(t));
  out.u8(kept ? 1 : 0);
  put(out, hosts);
  out.u32(static_cast<std::uint32_t>(replies.size()));
  for (const Reply& reply : replies) {
    for (const std::string* text : {&reply.map, &reply.text, &reply.reason}) out.text(*text);
    put(out, reply.notes);
    put(out, reply.files);
    out.u8(reply.demanding ? 1 : 0);
  }
  return out.take();
}

base::Result<Told> Told::decode(std::string_view record) {
  base::RecordReader in(record);
  const std::uint8_t version = in.u8();
  Told out;
  out.key = in.text();
  for (base::Time* t : {&out.made, &out.refresh, &out.usable}) *t = time(in.i64());
  out.kept = in.u8() == 1;
  out.hosts = take(in);
  out.replies.resize(in.count(21));
  for (Reply& reply : out.replies) {
    for (std::string* text : {&reply.map, &reply.text, &reply.reason}) *text = in.text();
    reply.notes = take(in);
    reply.files = take(in);
    reply.demanding = in.u8() == 1;
  }
  if (version != kVersion || !in.at_end())
    return base::fail("policyd.record", "an answer in the store is damaged: it is made anew");
  return out;
}

}  // namespace pinnace::policyd
