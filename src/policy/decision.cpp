#include "policy/decision.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::policy {

std::string_view to_string(Source source) {
  switch (source) {
    case Source::dane:
      return "dane";
    case Source::pkp_host:
      return "pkp-host";
    case Source::pkp_domain:
      return "pkp-domain";
    case Source::sts:
      return "sts";
    case Source::sts_pins:
      return "sts-pins";
    case Source::stsec:
      return "stsec";
    case Source::rule:
      return "rule";
    case Source::requiretls:
      break;
  }
  return "requiretls";
}

std::string_view to_string(Demand demand) {
  switch (demand) {
    case Demand::tls:
      return "tls";
    case Demand::pins:
      return "pins";
    case Demand::dane:
      return "dane";
    case Demand::webpki:
      return "webpki";
    case Demand::protocol:
      return "protocol";
    case Demand::offers_requiretls:
      return "offers-requiretls";
    case Demand::unmet:
      break;
  }
  return "cannot-be-met";
}

std::string_view to_string(MxVouched by) {
  switch (by) {
    case MxVouched::no:
      return "insecure";
    case MxVouched::dnssec:
      return "secure";
    case MxVouched::itself:
      return "itself";
    case MxVouched::sts:
      return "sts";
    case MxVouched::rule:
      return "rule";
    case MxVouched::route:
      break;
  }
  return "route";
}

bool Decision::resumable() const {
  return std::none_of(requirements.begin(), requirements.end(),
                      [](const Requirement& r) { return r.demand == Demand::pins && !r.enforced; });
}

std::string Decision::summary() const {
  std::string out;
  for (const Requirement& r : requirements) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", to_string(r.source));
    if (!r.enforced) out += fmt::format(" ({})", r.aside);
  }
  return out.empty() ? "none" : out;
}

std::string Decision::sentence() const {
  if (requirements.empty()) {
    return tls_never ? "a rule says tls = none: no TLS"
                     : "nothing is known that binds this host: TLS if it is offered";
  }
  std::string out;
  for (const Requirement& r : requirements) out += (out.empty() ? "" : "; ") + r.sentence;
  return out;
}

std::vector<std::string> explained(const Decision& d) {
  const bool forbidden = std::any_of(d.requirements.begin(), d.requirements.end(), [](const Requirement& r) {
    return r.enforced && r.demand == Demand::unmet;
  });
  std::vector<std::string> out;
  out.push_back(fmt::format("{}: {}; named as a mail host of the domain: {}", d.host,
                            forbidden        ? "must not be used"
                            : d.tls_required ? "TLS is a must"
                            : d.tls_never    ? "no TLS"
                                             : "TLS if it is offered",
                            to_string(d.mx)));
  for (const Requirement& r : d.requirements) {
    out.push_back(fmt::format("{} {} ({}): {}", r.enforced ? "must" : "test", to_string(r.source),
                              to_string(r.demand), r.sentence));
  }
  for (const std::string& n : d.notes) out.push_back("note " + n);
  return out;
}

}  // namespace pinnace::policy
