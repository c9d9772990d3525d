#include "reporting/received_report.hpp"

#include <algorithm>
#include <map>

#include "base/hex.hpp"
#include "base/record.hpp"

namespace pinnace::reporting {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kPrefix = "day/";

// '/' and what could hide one.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '/' || c == '%') {
      (out += '%') += base::hex({&c, 1});
    } else {
      out += c;
    }
  }
  return out;
}

std::int64_t number(base::Time t) { return t.time_since_epoch().count(); }
base::Time time(std::int64_t n) { return base::Time(base::Milliseconds(n)); }

void put(base::RecordWriter& out, const tlsrpt::PolicyResult& p) {
  out.text(p.type);
  out.i64(static_cast<std::int64_t>(p.succeeded));
  out.i64(static_cast<std::int64_t>(p.failed));
  out.u32(static_cast<std::uint32_t>(p.failures.size()));
  for (const tlsrpt::Failure& f : p.failures) {
    for (const std::string* text :
         {&f.result, &f.sending_ip, &f.mx, &f.helo, &f.receiving_ip, &f.information, &f.reason})
      out.text(*text);
    out.i64(static_cast<std::int64_t>(f.sessions));
  }
}

tlsrpt::PolicyResult take(base::RecordReader& in) {
  tlsrpt::PolicyResult p;
  p.type = in.text();
  p.succeeded = static_cast<std::uint64_t>(in.i64());
  p.failed = static_cast<std::uint64_t>(in.i64());
  p.failures.resize(in.count(7 * 4 + 8));
  for (tlsrpt::Failure& f : p.failures) {
    for (std::string* text :
         {&f.result, &f.sending_ip, &f.mx, &f.helo, &f.receiving_ip, &f.information, &f.reason})
      *text = in.text();
    f.sessions = static_cast<std::uint64_t>(in.i64());
  }
  return p;
}

}  // namespace

std::string first_key(base::Time day) { return std::string(kPrefix) + base::format_time(day).substr(0, 10); }

std::string ReceivedReport::key() const {
  return first_key(begin) + "/" + domain + "/" + escaped(organization) + "/" + escaped(id);
}

std::string ReceivedReport::encode() const {
  base::RecordWriter out;
  out.u8(kVersion);
  for (const std::string* text : {&domain, &organization, &contact, &id, &from}) out.text(*text);
  for (const base::Time t : {begin, end, received}) out.i64(number(t));
  out.u32(static_cast<std::uint32_t>(policies.size()));
  for (const tlsrpt::PolicyResult& p : policies) put(out, p);
  return out.take();
}

base::Result<ReceivedReport> ReceivedReport::decode(std::string_view record) {
  base::RecordReader in(record);
  const std::uint8_t version = in.u8();
  ReceivedReport out;
  for (std::string* text : {&out.domain, &out.organization, &out.contact, &out.id, &out.from})
    *text = in.text();
  for (base::Time* t : {&out.begin, &out.end, &out.received}) *t = time(in.i64());
  out.policies.resize(in.count(4 + 8 + 8 + 4));
  for (tlsrpt::PolicyResult& p : out.policies) p = take(in);
  if (version != kVersion || !in.at_end())
    return base::fail("reporting.record", "a damaged record of a report");
  for (tlsrpt::PolicyResult& p : out.policies) p.domain = out.domain;
  return out;
}

std::vector<ReceivedReport> split(tlsrpt::Report report, const std::vector<std::string>& domains) {
  std::map<std::string, ReceivedReport> by_domain;
  std::map<std::string, std::size_t> failures;
  std::string otherwise = domains.empty() ? "" : domains.front();
  for (const tlsrpt::PolicyResult& p : report.policies) {
    if (!p.domain.empty()) otherwise = p.domain;
  }
  for (tlsrpt::PolicyResult& p : report.policies) {
    if (p.domain.empty()) p.domain = otherwise;
    if (std::find(domains.begin(), domains.end(), p.domain) == domains.end()) continue;
    ReceivedReport& r = by_domain[p.domain];
    r.domain = p.domain;
    p.text.clear();
    p.mx.clear();
    std::size_t& kept = failures[p.domain];
    p.failures.resize(std::min(p.failures.size(), ReceivedReport::kMaxFailures - kept));
    kept += p.failures.size();
    r.policies.push_back(std::move(p));
  }
  std::vector<ReceivedReport> out;
  for (auto& [domain, r] : by_domain) {
    r.organization = report.organization;
    r.contact = report.contact;
    r.id = report.id;
    r.begin = report.begin;
    r.end = report.end;
    out.push_back(std::move(r));
  }
  return out;
}

}  // namespace pinnace::reporting
