// What one address of a mail host showed.
#include "check/address_lines.hpp"

namespace pinnace::check {
namespace {

constexpr base::Seconds kSoon = std::chrono::days(14);

std::string day(base::Time time) { return base::format_time(time).substr(0, 10); }

}  // namespace

std::vector<Line> AddressLines::lines() {
  add_connection();
  add_tls();
  add_before_tls();
  if (p_.no_tls.empty() && !p_.version.empty()) {
    add_certificate();
    add_dane();
  } else {
    add_dane_unseen();
  }
  add_sts();
  if (p_.no_tls.empty() && !p_.version.empty()) {
    add_pins();
    add_stsec();
    add_requiretls();
  }
  add_rules();
  add_rest();
  return std::move(out_);
}

void AddressLines::add_connection() {
  // Where TLS broke it, the line on TLS says how.
  if (p_.unreachable.empty() || p_.tls_broken) return;
  add(Item::connection, Verdict::would_defer, p_.unreachable,
      p_.refused
          ? fmt::format("The log of {} says why it refuses; a sender that it does not know is to be heard",
                        host_.host)
          : fmt::format("'nc {} {}' must show its greeting: look whether the server runs, at the "
                        "firewall, and whether port {} is open for this machine",
                        p_.address.str(), facts_.port, facts_.port));
}

void AddressLines::add_tls() {
  if (in_tls() && p_.no_tls.empty()) return add(Item::tls, Verdict::good, p_.version + ", " + p_.cipher);
  if (p_.no_tls.empty()) return;
  const bool held = !p_.verdict.usable || !p_.unreachable.empty();
  const std::string openssl =
      fmt::format("openssl s_client -starttls smtp -connect {}:{}",
                  p_.address.is_v4() ? p_.address.str() : "[" + p_.address.str() + "]", facts_.port);
  add(Item::tls, held ? Verdict::would_defer : Verdict::warning,
      p_.no_tls + (!p_.verdict.usable ? ", and TLS is a must: " + host_.decision.summary()
                   : held             ? ""
                                      : ": mail goes there in the clear"),
      p_.tls_broken
          ? fmt::format("'{}' shows it: certificate and key must belong together, and TLS 1.2 or "
                        "later be allowed. If its own side is well, somebody in between spoils it",
                        openssl)
          : fmt::format("Turn STARTTLS on at {}, or put 'pinnace gate' before it. If it is on, somebody "
                        "in between takes it away",
                        host_.host));
}

void AddressLines::add_before_tls() {
  if (p_.before_tls.empty()) return;
  // pinning-protocol 1
  add(Item::pkp, Verdict::warning,
      fmt::format("{} is said before TLS, where nobody may heed it", fmt::join(p_.before_tls, " and ")),
      "Advertise it inside TLS only. If the server does, somebody in between plants it");
}

// Some certificates have a hundred names.
std::string AddressLines::names_of_leaf() const {
  constexpr std::size_t kShown = 3;
  const std::vector<std::string>& all = p_.leaf.dns_names;
  if (all.empty()) return "no name";
  std::vector<std::string> shown(all.begin(),
                                 all.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, all.size())));
  if (p_.leaf.names_host) shown = {host_.host};
  const std::size_t more = all.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

void AddressLines::add_certificate() {
  const delivery::LeafSeen& leaf = p_.leaf;
  const auto left = std::chrono::floor<std::chrono::days>(leaf.not_after - facts_.now).count();
  const bool over = leaf.not_after <= facts_.now;
  const std::string names = names_of_leaf();
  const std::string issued = fmt::format("of {}", leaf.issuer);
  if (leaf.webpki_problem.empty()) {
    const std::string text =
        fmt::format("{}, {}, until {} ({} days)", names, issued, day(leaf.not_after), left);
    if (leaf.not_after - facts_.now >= kSoon || key_alone_counts())
      return add(Item::certificate, Verdict::good, text);
    return add(Item::certificate, Verdict::warning, text + ": it ends soon",
               "Renew it, under the same key or one that is announced before (TLSA, pins)");
  }
  const bool self_signed = leaf.subject == leaf.issuer;
  std::string text, remedy;
  if (over) {
    text = fmt::format("it ended on {}", day(leaf.not_after));
    remedy = "renew it";
  } else if (self_signed) {
    text =
        fmt::format("self-signed: no trusted CA vouches for it ({}, until {})", names, day(leaf.not_after));
    remedy = fmt::format("get one of a trusted CA for {}", host_.host);
  } else if (!leaf.names_host) {
    text = fmt::format("it does not name {} but {}", host_.host, names);
    remedy = fmt::format("get one with {} among its dNSNames", host_.host);
  } else {
    text = fmt::format("no trusted CA vouches for it: {} ({}, {})", leaf.webpki_problem, names, issued);
    remedy = "send the CA's intermediate certificates behind the leaf, or get one of a trusted CA";
  }
  if (dane_applies()) {
    // RFC 7672 3.1: neither a CA that is trusted nor, under usage 3, name and dates are looked at.
    return add(Item::certificate, Verdict::note, text + "; DANE decides",
               "Nothing, for senders that know DANE. For the others: " + remedy);
  }
  remedy[0] = static_cast<char>(remedy[0] - 32);  // it begins the sentence
  add(Item::certificate, Verdict::warning, text, remedy);
}

// pinning-protocol 3
void AddressLines::add_pins() {
  if (!p_.pins) {
    return add(Item::pkp, Verdict::note, p_.stsec ? "none advertised" : "none advertised, nor STSEC",
               "Put 'pinnace gate' before it, or advertise what 'pinnace pins advert' prints");
  }
  const delivery::PinsSeen& seen = *p_.pins;
  if (!seen.advert) {
    return add(Item::pkp, Verdict::warning,
               fmt::format("the advert is not valid: {}", fmt::join(seen.problems, "; ")),
               "Correct it: 'pinnace lint pkp' checks the lines, 'pinnace pins advert' prints good ones");
  }
  if (seen.advert->withdraws())
    return add(Item::pkp, Verdict::note, "MAX-AGE=0: it takes its pins back", "Nothing, if that is meant");
  base::Seconds shortest = base::Seconds::max();
  for (const auto& pin : seen.advert->pins) shortest = std::min(shortest, seen.advert->lifetime(pin));
  const std::string text = fmt::format(
      "{} pin{} for {}, of this {}", seen.advert->pins.size(), seen.advert->pins.size() == 1 ? "" : "s",
      base::format_duration(shortest), seen.advert->scope == pins::Scope::host ? "host" : "domain");
  if (!seen.not_noted.empty()) {
    return add(
        Item::pkp, Verdict::warning, fmt::format("{}: a sender does not note them: {}", text, seen.not_noted),
        "Advertise the pin of the live key and that of a backup key: 'pinnace pins advert' prints the lines");
  }
  if (seen.advert->mode == pins::Mode::report) {
    return add(Item::pkp, Verdict::note, text + ", MODE=REPORT: tested and reported, not enforced",
               "When no reports come, advertise MODE=ENFORCE");
  }
  if (!seen.authenticated) {
    return add(Item::pkp, Verdict::note,
               text + "; a sender enforces them only after several sessions over a day",
               "A certificate of a trusted CA or TLSA records have them enforced from the first session on");
  }
  add(Item::pkp, Verdict::good, text + "; a sender notes and enforces them");
}

void AddressLines::add_stsec() {
  if (!p_.stsec) return;  // the line on pins says so; of pins alone a sender learns as much
  if (!p_.stsec->stsec) {
    return add(Item::stsec, Verdict::warning, "not valid: " + p_.stsec->problem,
               "Advertise one line: STSEC MAX-AGE=31536000");
  }
  const base::Seconds age = p_.stsec->stsec->max_age;
  if (age == base::Seconds(0))
    return add(Item::stsec, Verdict::note, "MAX-AGE=0: it takes its promise back",
               "Nothing, if that is meant");
  add(Item::stsec, Verdict::good, "TLS always, for " + base::format_duration(age));
}

// RFC 8689 4.3
void AddressLines::add_requiretls() {
  if (p_.offers_requiretls) return add(Item::requiretls, Verdict::good, "offered");
  add(Item::requiretls, Verdict::note, "not offered",
      "Offer it (RFC 8689) if the server keeps TLS on the way further");
}

std::vector<Line> address_lines(const DomainFacts& facts, const HostFacts& host,
                                const delivery::Probed& probed) {
  return AddressLines(facts, host, probed).lines();
}

}  // namespace pinnace::check
