#include "gate/face.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::gate {
namespace {

void add(pins::Advert& advert, const pins::Pin& pin) {
  if (std::ranges::none_of(advert.pins, [&](const auto& p) { return p.pin == pin; }))
    advert.pins.push_back({pin, std::nullopt});
}

pins::Pin own_key(const tls::OwnCertificate& certificate) { return certificate.chain().pins().front(); }

std::string stsec_of(const AdvertSettings& settings) {
  if (settings.stsec_max_age == base::Seconds(0)) return {};
  return pins::ehlo_line(pins::Stsec{settings.stsec_max_age});
}

}  // namespace

base::Result<pins::Advert> make_advert(const AdvertSettings& settings, const Host& host) {
  pins::Advert advert;
  for (const tls::OwnCertificate& certificate : host.certificates) add(advert, own_key(certificate));
  for (const pins::Pin& backup : host.backups) add(advert, backup);
  advert.max_age = host.terms ? host.terms->max_age : settings.max_age;
  advert.scope = settings.scope;
  advert.mode = host.terms ? host.terms->mode : settings.mode;
  advert.rua = settings.rua;
  // pinning-protocol 8.1: the backup must be in no chain that is shown, not only not in this one.
  std::vector<pins::Pin> shown;
  for (const tls::OwnCertificate& certificate : host.certificates) {
    const auto keys = certificate.chain().pins();
    shown.insert(shown.end(), keys.begin(), keys.end());
  }
  if (auto good = pins::check_own_advert(advert, shown); !good)
    return base::fail(good.error().code, host.hostname + ": " + good.error().detail);
  // What a sender would not take must not be sent either.
  std::vector<std::string> behind;
  for (const std::string& line : pins::ehlo_lines(advert)) behind.push_back(line.substr(4));
  if (const auto parsed = pins::parse_advert(behind); !parsed.advert) {
    return base::fail("pins.own_advert",
                      host.hostname + ": the advert would be invalid: " + parsed.problems.front());
  }
  return advert;
}

base::Result<Face> Face::make(std::vector<Host> hosts, const AdvertSettings& settings,
                              tls::ServerPolicy policy) {
  std::vector<tls::Identity> identities;
  std::vector<Name> names;
  for (Host& host : hosts) {
    auto advert = make_advert(settings, host);
    if (!advert) return std::unexpected(advert.error());
    identities.push_back({host.hostname, host.certificates});
    std::vector<std::string> lines = pins::ehlo_lines(*advert);
    std::string stsec = stsec_of(settings);
    if (!stsec.empty()) lines.push_back(stsec);
    names.push_back({std::move(host), std::move(*advert), std::move(lines), std::move(stsec)});
  }
  auto context = tls::ServerContext::of(std::move(identities), policy);
  if (!context) return std::unexpected(context.error());
  return Face(std::move(names), std::move(*context));
}

std::vector<std::string> Face::Name::said() const {
  if (!host.may_say || host.may_say(advert)) return lines;
  return stsec.empty() ? std::vector<std::string>() : std::vector{stsec};
}

base::Result<> Face::keeps_promises_of(const Face& before) const {
  for (const Name& name : names_) {
    // A name that had no certificate of its own was shown the first's.
    const auto& promised = before.names_[before.tls_.identity_for(name.host.hostname)].advert.pins;
    for (const tls::OwnCertificate& certificate : name.host.certificates) {
      const pins::Pin live = own_key(certificate);
      if (std::ranges::any_of(promised, [&](const auto& p) { return p.pin == live; })) continue;
      return base::fail(
          "pins.own_advert",
          fmt::format("the key {} of {}'s certificate is not among those advertised until now: senders "
                      "that noted them would hold their mail. Make it the backup_key first",
                      live.str(), name.host.hostname));
    }
  }
  return {};
}

}  // namespace pinnace::gate
