#include "gate/keeping.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "tls/verify.hpp"

namespace pinnace::gate {
namespace {

// The keys by which a sender who is shown these can match. A root that is not sent is not counted on.
std::vector<pins::Vouchers> vouchers_of(const std::vector<tls::OwnCertificate>& certificates,
                                        const std::string& hostname, base::Time now) {
  std::vector<pins::Vouchers> out;
  const std::vector<std::string> names = {hostname};
  for (const tls::OwnCertificate& one : certificates)
    out.push_back(tls::matching_pins(one.chain(), one.chain().pins(), names, nullptr, now));
  return out;
}

std::vector<pins::Pin> leaves_of(const std::vector<tls::OwnCertificate>& certificates) {
  std::vector<pins::Pin> out;
  for (const tls::OwnCertificate& one : certificates) out.push_back(one.chain().pins().front());
  return out;
}

std::string digests_of(const Host& host) {
  std::string out;
  for (const tls::OwnCertificate& one : host.certificates) out += one.fingerprint();
  return out;
}

std::string words(const pins::Promise& promise) {
  std::vector<std::string> keys;
  for (const pins::Pin& pin : promise.pins) keys.push_back(pin.str());
  return fmt::format("{}{} for {}, last said {}", promise.assumed ? "assumed: " : "", fmt::join(keys, " "),
                     base::format_duration(promise.max_age), base::format_time(promise.said_until));
}

void log_broken(const std::string& hostname, const std::vector<pins::Promise>& broken) {
  for (const pins::Promise& promise : broken) {
    base::log_error("promise_broken", {{"hostname", hostname},
                                       {"promise", words(promise)},
                                       {"until", base::format_time(promise.ends())},
                                       {"what", "senders that heard it hold their mail until then"}});
  }
}

}  // namespace

std::string HeldBack::sentence() const {
  std::vector<std::string> keys;
  for (const pins::Pin& pin : leaves_of(host.certificates)) keys.push_back(pin.str());
  return fmt::format(
      "the certificate in the files ({}) is not served: {} promise{} outstanding that it would break, until "
      "{}. It "
      "goes in by itself then; its key is promised from now on. Sooner: a certificate for a key that was "
      "promised, or "
      "pinnace gate reload --break-promises",
      fmt::join(keys, " "), obstacle.promises, obstacle.promises == 1 ? " is" : "s are",
      base::format_time(obstacle.until));
}

void Keeping::alarm() const {
  for (const auto& [hostname, held] : held_) {
    base::log_error("certificate_held_back", {{"hostname", hostname},
                                              {"promise", words(held.obstacle.promise)},
                                              {"until", base::format_time(held.obstacle.until)},
                                              {"what", held.sentence()}});
  }
}

std::optional<base::Time> Keeping::next_date() const {
  std::optional<base::Time> out;
  for (const auto& [hostname, held] : held_)
    out = std::min(out.value_or(held.obstacle.until), held.obstacle.until);
  return out;
}

void Keeping::assume(const std::string& hostname, const std::vector<tls::OwnCertificate>& live) {
  base::Seconds longest = std::max<base::Seconds>(schedule_.max_age, std::chrono::days(60));
  promises_.of(hostname).assume(leaves_of(live), longest, clock_.now());
  base::log_error("ledger_lost",
                  {{"hostname", hostname},
                   {"what", fmt::format("nobody knows what was promised: assumed is the key that was "
                                        "served, for {}; another can go in only then",
                                        base::format_duration(longest))}});
}

base::Result<> Keeping::rebuild(const std::vector<Host>& files) {
  for (const Host& host : files) {
    const auto copy = served_.read(host.hostname);
    if (!copy) return std::unexpected(copy.error());
    assume(host.hostname, *copy ? **copy : host.certificates);
  }
  return {};
}

base::Result<Host> Keeping::keep_old(Host files, pins::Obstacle obstacle) {
  Host old = files;
  const auto there = std::ranges::find(shown_, files.hostname, &Host::hostname);
  if (there != shown_.end()) {
    old = *there;
  } else {
    auto copy = served_.read(files.hostname);
    if (!copy) return std::unexpected(copy.error());
    const bool usable =
        *copy && !promises_.of(files.hostname)
                      .obstacle(vouchers_of(**copy, files.hostname, clock_.now()), clock_.now());
    if (!usable) {
      return base::fail("gate.promises",
                        files.hostname + ": " + HeldBack{files, obstacle}.sentence() +
                            ". What was served before is not there: put that certificate and key back");
    }
    old.certificates = std::move(**copy);
  }
  const std::string hostname = files.hostname;
  held_.insert_or_assign(hostname, HeldBack{std::move(files), std::move(obstacle)});
  return old;
}

base::Result<Host> Keeping::choose_one(Host files, bool break_promises) {
  const base::Time now = clock_.now();
  pins::Ledger& ledger = promises_.of(files.hostname);
  if (ledger.empty()) {
    const auto copy = served_.read(files.hostname);
    if (!copy) return std::unexpected(copy.error());
    if (*copy) assume(files.hostname, **copy);
  }
  const auto vouchers = vouchers_of(files.certificates, files.hostname, now);
  if (break_promises) log_broken(files.hostname, ledger.break_for(vouchers, now));
  if (auto obstacle = ledger.obstacle(vouchers, now)) return keep_old(std::move(files), std::move(*obstacle));
  held_.erase(files.hostname);
  return files;
}

// To whoever asks for a name that the configuration has no more, the first host's certificates are shown.
base::Result<> Keeping::check_names_gone(const std::vector<Host>& hosts, bool break_promises) {
  const base::Time now = clock_.now();
  std::vector<std::string> gone;
  for (const auto& [hostname, ledger] : promises_.ledgers())
    if (std::ranges::find(hosts, hostname, &Host::hostname) == hosts.end()) gone.push_back(hostname);
  for (const std::string& hostname : gone) {
    pins::Ledger& ledger = promises_.of(hostname);
    const auto vouchers = vouchers_of(hosts.front().certificates, hostname, now);
    if (break_promises) log_broken(hostname, ledger.break_for(vouchers, now));
    if (const auto obstacle = ledger.obstacle(vouchers, now)) {
      return base::fail(
          "gate.promises",
          fmt::format("{} is promised until {}, and no host of this configuration: keep its "
                      "certificate in a [[gate.host]] until then, or start with --break-promises",
                      hostname, base::format_time(obstacle->until)));
    }
  }
  return {};
}

base::Result<std::vector<Host>> Keeping::choose(std::vector<Host> files, bool break_promises) {
  if (auto met = check_names_gone(files, break_promises); !met) return std::unexpected(met.error());
  const auto held_before = held_;
  std::vector<Host> chosen;
  for (Host& host : files) {
    auto one = choose_one(std::move(host), break_promises);
    if (!one) {
      held_ = held_before;
      return std::unexpected(one.error());
    }
    chosen.push_back(std::move(*one));
  }
  for (const Host& host : chosen) {
    if (held_.contains(host.hostname)) continue;
    if (auto kept = served_.keep(host); !kept) {
      held_ = held_before;
      return std::unexpected(kept.error());
    }
  }
  shown_ = std::move(chosen);
  for (const Host& host : shown_) promises_.of(host.hostname).serve(digests_of(host), clock_.now());
  alarm();
  return shown();
}

Host Keeping::with_terms(Host host) {
  host.terms = promises_.of(host.hostname).terms(schedule_, clock_.now());
  host.may_say = [this, hostname = host.hostname](const pins::Advert& advert) {
    return promises_.may_say(hostname, advert);
  };
  // pinning-protocol 8.2: a key goes live when all adverts without it are over. So none goes out any more.
  if (const auto held = held_.find(host.hostname); held != held_.end()) {
    for (const pins::Pin& pin : leaves_of(held->second.host.certificates)) host.backups.push_back(pin);
  }
  return host;
}

std::vector<Host> Keeping::shown() {
  std::vector<Host> out;
  for (const Host& host : shown_) out.push_back(with_terms(host));
  return out;
}

}  // namespace pinnace::gate
