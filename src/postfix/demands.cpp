#include "postfix/demands.hpp"

#include <algorithm>

namespace pinnace::postfix {
namespace {

using policy::Demand;
using policy::Requirement;
using policy::Source;

void add_dane(Demands& to, const Requirement& r) {
  to.tlsa = r.demand == Demand::dane    ? Tlsa::usable
            : r.demand == Demand::unmet ? Tlsa::failed
                                        : Tlsa::unusable;
  to.tlsa_waived = !r.enforced;
}

void add(Demands& to, const Requirement& r) {
  if (r.source == Source::dane) add_dane(to, r);
  if (!r.enforced) return;
  to.dane_alone = to.dane_alone && r.source == Source::dane;
  switch (r.demand) {
    case Demand::tls:
      return;
    case Demand::pins:
    case Demand::dane:
    case Demand::webpki:
      to.proofs.push_back(&r);
      return;
    case Demand::protocol:
      to.protocol = std::max(to.protocol.value_or(r.protocol), r.protocol);
      return;
    case Demand::unmet:
    case Demand::offers_requiretls:  // nothing that Postfix could be told
      to.forbidden += (to.forbidden.empty() ? "" : "; ") + r.sentence;
      to.forbidden_otherwise = to.forbidden_otherwise || r.source != Source::dane;
  }
}

}  // namespace

Demands demands_of(const HostKnown& host) {
  Demands out;
  out.known = &host;
  out.name = host.host.substr(0, host.host.find(':'));
  out.reachable = host.decision != nullptr;
  if (!out.reachable) return out;
  const policy::Decision& decision = *host.decision;
  out.tls = decision.tls_required;
  out.dane_alone = true;
  out.signed_name = decision.mx == policy::MxVouched::dnssec || decision.mx == policy::MxVouched::itself ||
                    decision.mx == policy::MxVouched::route;
  for (const Requirement& r : decision.requirements) add(out, r);
  return out;
}

}  // namespace pinnace::postfix
