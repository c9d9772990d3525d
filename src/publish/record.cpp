#include "publish/record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hex.hpp"
#include "dane/tlsa.hpp"
#include "publish/policy.hpp"
#include "tlsrpt/uri.hpp"

namespace pinnace::publish {
namespace {

constexpr std::size_t kLongestString = 255;  // RFC 1035 3.3

// RFC 1035 5.1: quotes and backslashes behind a backslash, what is not printable as \DDD.
std::string quoted(std::string_view octets) {
  std::string out = "\"";
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (octet < ' ' || octet > '~') {
      out += fmt::format("\\{:03}", octet);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string digest(const pins::Pin& pin) {
  return std::string(reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size());
}

Record tlsa_record(const Host& host, std::uint16_t port, const Key& key, std::string_view which) {
  // RFC 7671 5.1: DANE-EE(3) SPKI(1) SHA2-256(1), whose data is the pin.
  const dane::Tlsa tlsa{dane::kDaneEe, dane::kSpki, dane::kSha256, digest(key.pin)};
  return {dane::owner(host.name.str(), port), Record::Type::tlsa, tlsa.str(), std::string(which)};
}

}  // namespace

std::string_view to_string(Record::Type type) { return type == Record::Type::tlsa ? "TLSA" : "TXT"; }

std::string data(const Record& record) {
  if (record.type == Record::Type::tlsa) return record.text;
  std::string out;
  std::string_view left = record.text;
  do {
    out += (out.empty() ? "" : " ") + quoted(left.substr(0, kLongestString));
    left.remove_prefix(std::min(kLongestString, left.size()));
  } while (!left.empty());
  return out;
}

std::string zone_line(const Record& record, base::Seconds ttl) {
  return fmt::format("{}. {} IN {} {}", record.owner, ttl.count(), to_string(record.type), data(record));
}

std::vector<Record> tlsa_records(const Host& host, std::uint16_t port) {
  std::vector<Record> out;
  const auto add = [&](const Key& key, std::string_view which) {
    Record record = tlsa_record(host, port, key, which);
    const auto same = [&record](const Record& r) { return r.text == record.text; };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(std::move(record));
  };
  for (const Key& key : host.live) add(key, "live");
  for (const Key& key : host.backups) add(key, "backup");
  return out;
}

Record sts_record(const Domain& domain, const std::string& id) {
  return {"_mta-sts." + domain.name.str(), Record::Type::txt, "v=STSv1; id=" + id + ";", "MTA-STS"};
}

Record tlsrpt_record(const Domain& domain) {
  return {"_smtp._tls." + domain.name.str(), Record::Type::txt,
          fmt::format("v=TLSRPTv1; rua={}", fmt::join(domain.tlsrpt, ",")), "TLSRPT"};
}

base::Result<std::string> escaped_uri(std::string_view uri) {
  std::string out;
  for (const char c : uri) {
    // RFC 8460 3: what has a meaning in the record is escaped within a URI (RFC 3986 2.1).
    if (c == ',' || c == '!' || c == ';') {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  const tlsrpt::UriKind kind = tlsrpt::uri_kind(out);
  if (kind == tlsrpt::UriKind::mailto || kind == tlsrpt::UriKind::https) return out;
  return base::fail("publish.uri",
                    "reports go to a mailto: URI with an address or an https: URI with a host (RFC 8460 3), "
                    "with all else than letters, digits and -._~ escaped as %XX");
}

std::vector<Record> records(const Settings& settings) {
  std::vector<Record> out;
  for (const Host& host : settings.hosts) {
    for (const std::uint16_t port : host.ports) {
      for (Record& r : tlsa_records(host, port)) out.push_back(std::move(r));
    }
  }
  for (const Domain& domain : settings.domains) {
    if (const auto policy = policy_of(settings, domain)) out.push_back(sts_record(domain, policy->id));
    if (!domain.tlsrpt.empty()) out.push_back(tlsrpt_record(domain));
  }
  return out;
}

}  // namespace pinnace::publish
