// What clients see of the gate: its certificates by name, and what it promises for each name.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pins/ledger.hpp"
#include "pins/noting.hpp"
#include "tls/server_context.hpp"

namespace pinnace::gate {

// A name that the gate has, with the keys behind it.
struct Host {
  std::string hostname;
  std::vector<tls::OwnCertificate> certificates;  // one at least, each with a key of another algorithm
  std::vector<pins::Pin> backups;                 // one at least
  // Where a ledger is kept: how much it may promise, and whether that is written, so that it may be said now.
  std::optional<pins::Terms> terms = std::nullopt;  // else the settings'
  std::function<bool(const pins::Advert&)> may_say = {};
};

struct AdvertSettings {
  base::Seconds max_age = std::chrono::days(60);
  pins::Scope scope = pins::Scope::host;
  pins::Mode mode = pins::Mode::enforce;
  std::string rua;
  base::Seconds stsec_max_age{0};  // 0: not advertised
};

// What the gate would advertise as this host: the keys of all its certificates, whichever a sender is shown,
// and the backups'. Error "pins.own_advert": it must not be advertised (pinning-protocol, "What a receiver
// owes").
base::Result<pins::Advert> make_advert(const AdvertSettings& settings, const Host& host);

// A session has the same from its beginning to its end.
class Face {
 public:
  struct Name {
    Host host;
    pins::Advert advert;
    std::vector<std::string> lines;  // of the EHLO reply inside TLS
    std::string stsec;               // that of them which is no promise of keys; empty: none

    // What of the lines may be said now.
    std::vector<std::string> said() const;
  };

  // Of one host at least: the first is who it is before TLS, and to whoever asks for no name of these.
  // Errors: make_advert's, and tls::ServerContext::of's.
  static base::Result<Face> make(std::vector<Host> hosts, const AdvertSettings& settings,
                                 tls::ServerPolicy policy);

  const std::vector<Name>& names() const { return names_; }  // in the order of the context's identities
  const tls::ServerContext& tls() const { return tls_; }
  // The same with keys for its tickets that nobody knows.
  Face with_new_ticket_keys() const { return {names_, tls_.with_new_ticket_keys()}; }

  // pinning-protocol 8.2: may it follow `before`? Error "pins.own_advert": a certificate has no key that was
  // advertised under its name, so who noted that would hold his mail.
  base::Result<> keeps_promises_of(const Face& before) const;

 private:
  Face(std::vector<Name> names, tls::ServerContext tls) : names_(std::move(names)), tls_(std::move(tls)) {}

  std::vector<Name> names_;
  tls::ServerContext tls_;
};

}  // namespace pinnace::gate
