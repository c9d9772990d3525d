#include "policyd/noted.hpp"

namespace pinnace::policyd {

Noted noted_of(const discovery::PinStore& store, const std::string& host, base::Time now) {
  Noted out;
  const auto pins = store.find(pins::Scope::host, host);
  if (pins && *pins && !(*pins)->expired(now)) {
    out.pins = **pins;
    out.end = (*pins)->expires();
  }
  const auto stsec = store.find_stsec(host);
  if (stsec && *stsec && (*stsec)->in_force(now)) {
    out.stsec = true;
    out.end = std::min(out.end, (*stsec)->expires);
  }
  return out;
}

}  // namespace pinnace::policyd
