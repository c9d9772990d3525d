#include "discovery/routes.hpp"

#include <algorithm>

#include "discovery/answer_cache.hpp"
#include "tls/verify.hpp"

namespace pinnace::discovery {
namespace {

bool failed(const dns::MailHosts& h) { return h.kind == dns::MailHosts::Kind::failure; }
bool failed(const dns::Addresses& a) { return a.kind == dns::Addresses::Kind::failure; }
bool failed(const FoundTlsa& t) { return t.tlsa.kind == dane::HostTlsa::Kind::failure; }

// RFC 7672 2.2.2
io::Task<FoundTlsa> find_tlsa(dns::Resolver& resolver, std::string host, std::uint16_t port,
                              dns::Addresses addresses) {
  FoundTlsa out;
  out.ttl = addresses.ttl;
  dane::Expansion expansion{host, addresses.canonical, addresses.security == dns::Security::secure, false};
  if (!expansion.addresses_secure && !expansion.canonical.empty() && expansion.canonical != host) {
    // RFC 7672 2.1.3: only the alias alone tells whether its own zone is signed.
    const dns::Answer alias = co_await resolver.query(host, dns::Type::cname);
    if (alias.kind == dns::Answer::Kind::failure) {
      out.tlsa.kind = dane::HostTlsa::Kind::failure;
      out.tlsa.detail = alias.detail;
      co_return out;
    }
    expansion.alias_secure = alias.security == dns::Security::secure;
  }
  const std::vector<std::string> bases = dane::base_domains(expansion);
  if (bases.empty())
    out.tlsa.detail = "the address of " + host + " is not secured by DNSSEC: no TLSA is looked for";
  for (const std::string& base : bases) {
    std::string owner = dane::owner(base, port);
    const dns::Answer answer = co_await resolver.query(std::move(owner), dns::Type::tlsa);
    dane::HostTlsa found = tlsa_from(answer, base);
    out.ttl = std::min(out.ttl, answer.ttl);
    out.tlsa = std::move(found);
    if (out.tlsa.kind != dane::HostTlsa::Kind::none) break;
  }
  co_return out;
}

}  // namespace

dane::HostTlsa tlsa_from(const dns::Answer& answer, const std::string& base) {
  dane::HostTlsa out;
  out.base = base;
  out.kind = dane::HostTlsa::Kind::none;
  switch (answer.kind) {
    case dns::Answer::Kind::failure:
      out.kind = dane::HostTlsa::Kind::failure;
      out.detail = answer.detail;
      return out;
    case dns::Answer::Kind::no_data:
    case dns::Answer::Kind::no_domain:
      out.detail = base + " has no TLSA records";
      return out;
    case dns::Answer::Kind::records:
      break;
  }
  // RFC 7672 2.2: what is not secure is as if it were not there.
  if (answer.security != dns::Security::secure) {
    out.detail = "the TLSA records of " + base + " are not secured by DNSSEC";
    return out;
  }
  out.kind = dane::HostTlsa::Kind::records;
  for (const std::string& rdata : answer.rdata) {
    // One that is cut short is there and cannot be used.
    out.records.push_back(dane::Tlsa::parse_wire(rdata).value_or(dane::Tlsa{}));
    out.records.back().well_formed = tls::well_formed(out.records.back());
  }
  return out;
}

Routes::Routes(io::Loop& loop, dns::Resolver& resolver)
    : resolver_(resolver),
      random_(std::random_device{}()),
      hosts_(new AnswerCache<dns::MailHosts>(loop, failed)),
      addresses_(new AnswerCache<dns::Addresses>(loop, failed)),
      tlsa_(new AnswerCache<FoundTlsa>(loop, failed)) {}

Routes::~Routes() = default;

io::Task<std::shared_ptr<const dns::MailHosts>> Routes::hosts(names::Domain domain) {
  const std::string key = domain.str();
  while (hosts_->loading(key)) co_await hosts_->loaded.wait();
  if (auto known = hosts_->fresh(key)) co_return known;
  const auto turn = hosts_->begin(key);
  std::function<std::size_t(std::size_t)> random = [this](std::size_t n) { return random_() % n; };
  dns::MailHosts found = co_await dns::find_mail_hosts(resolver_, domain, random);
  co_return hosts_->end(key, std::move(found));
}

io::Task<std::shared_ptr<const dns::Addresses>> Routes::addresses(std::string host) {
  while (addresses_->loading(host)) co_await addresses_->loaded.wait();
  if (auto known = addresses_->fresh(host)) co_return known;
  const auto turn = addresses_->begin(host);
  dns::Addresses found = co_await dns::find_addresses(resolver_, host);
  co_return addresses_->end(host, std::move(found));
}

io::Task<std::shared_ptr<const FoundTlsa>> Routes::tlsa(std::string host, std::uint16_t port,
                                                        std::shared_ptr<const dns::Addresses> addresses) {
  const std::string key = dane::owner(host, port);
  while (tlsa_->loading(key)) co_await tlsa_->loaded.wait();
  if (auto known = tlsa_->fresh(key)) co_return known;
  const auto turn = tlsa_->begin(key);
  dns::Addresses at = *addresses;
  FoundTlsa found = co_await find_tlsa(resolver_, host, port, std::move(at));
  co_return tlsa_->end(key, std::move(found));
}

}  // namespace pinnace::discovery
