// TLSA records in the DNS against a host's keys (RFC 7671 8.1, RFC 7672).
#include <fmt/format.h>

#include <algorithm>

#include "publish/comparison.hpp"

namespace pinnace::publish {
namespace {

bool contains(const std::vector<dane::Tlsa>& records, const Record& record) {
  return std::any_of(records.begin(), records.end(), [&](const auto& r) { return r.str() == record.text; });
}

// One port's set.
class Comparison {
 public:
  Comparison(const Host& host, const ServedHost& served, std::size_t port, const Moment& moment)
      : host_(host),
        records_(tlsa_records(host, host.ports[port])),
        served_(served.tlsa[port]),
        binding_(served.addresses_secure && served_.secure),
        now_(moment.now),
        wait_(2 * std::max(moment.ttl, served_.ttl)) {}

  std::vector<Finding> findings() {
    if (!served_.failure.empty()) {
      // RFC 7672 2.1.2: a host whose records cannot be had is not used.
      add(State::unknown, Weight::held, "cannot be looked up: " + served_.failure,
          fmt::format("Ask each name server for it, with DNSSEC: 'delv {} TLSA'", owner()));
      return std::move(out_);
    }
    for (const Record& record : records_) wanted(record);
    for (const dane::Tlsa& record : served_.records) unwanted(record);
    return std::move(out_);
  }

 private:
  const std::string& owner() const { return records_.front().owner; }
  void add(State state, Weight weight, std::string text, std::string remedy,
           std::optional<base::Time> after = {}) {
    out_.push_back({Finding::About::tlsa, owner(), state, weight, std::move(text), std::move(remedy), after});
  }
  bool lacks_live() const {
    return std::any_of(records_.begin(), records_.end(), [this](const Record& r) {
      return r.comment == "live" && !contains(served_.records, r);
    });
  }
  void wanted(const Record& record);
  void unwanted(const dane::Tlsa& record);

  const Host& host_;
  std::vector<Record> records_;
  const ServedSet<dane::Tlsa>& served_;
  bool binding_;  // senders hold the host to them
  base::Time now_;
  base::Seconds wait_;
  std::vector<Finding> out_;
};

void Comparison::wanted(const Record& record) {
  const bool live = record.comment == "live";
  const std::string text = fmt::format("{} ({})", record.text, record.comment);
  if (contains(served_.records, record)) {
    std::optional<base::Time> from;
    for (const Key& key : host_.backups) {
      if (!live && key.published && tlsa_records({host_.name, {key}, {}}, 25)[0].text == record.text)
        from = *key.published + wait_;
    }
    return add(State::ok, Weight::good,
               from ? fmt::format("{}: may go live from {} on", text, base::format_time(*from)) : text, {},
               from);
  }
  const std::string publish = fmt::format("Publish {}. IN TLSA {}", record.owner, record.text);
  // RFC 7671 8.1
  const base::Time from = now_ + wait_;
  if (!live) {
    return add(State::missing, binding_ ? Weight::warning : Weight::note, text,
               fmt::format("{}; it may go live two TTLs later, from {} on", publish, base::format_time(from)),
               from);
  }
  // RFC 7672 2.2: where there are usable records, one must match the key that is shown.
  const bool others = !dane::usable(served_.records).empty();
  if (!binding_) return add(State::missing, Weight::note, text, publish);
  if (!others) return add(State::missing, Weight::warning, text + ": DANE protects nobody", publish);
  add(State::missing, Weight::held, text + ": senders refuse the host when it shows this key",
      publish + " now");
}

void Comparison::unwanted(const dane::Tlsa& record) {
  const auto ours = [&record](const Record& r) { return r.text == record.str(); };
  if (std::any_of(records_.begin(), records_.end(), ours)) return;
  const std::string remove = fmt::format("delete {}. TLSA {}", owner(), record.str());
  if (const std::string why = dane::why_unusable(record); !why.empty())
    return add(State::extra, Weight::note, fmt::format("{}: senders pass it over: {}", record.str(), why),
               "Nothing but: " + remove);
  const bool key =
      record.usage == dane::kDaneEe && record.selector == dane::kSpki && record.matching == dane::kSha256;
  if (!key) {
    // RFC 7671 9: beside a stronger digest of the same parameters, ours are passed over.
    return add(State::extra, binding_ ? Weight::warning : Weight::note,
               record.str() + ": not of these keys' kind, 3 1 1; whom it lets in is not known here",
               "See whether it is meant; if not, " + remove);
  }
  std::optional<base::Time> after;
  std::string when = "now";
  if (lacks_live()) {
    after = now_ + wait_;
    when = fmt::format("two TTLs after the live key's is there, from {} on", base::format_time(*after));
  }
  add(State::extra, binding_ ? Weight::warning : Weight::note,
      fmt::format("{}: a key that is not ours, or no longer: who has it can take the host's place",
                  record.str()),
      fmt::format("If no other server behind this name shows that key, {}: {}", remove, when), after);
}

}  // namespace

std::vector<Finding> compare(const Host& host, const ServedHost& served, const Moment& moment) {
  using About = Finding::About;
  const std::string& name = host.name.str();
  if (!served.failure.empty()) {
    return {{About::dnssec,
             name,
             State::unknown,
             Weight::held,
             "its addresses cannot be looked up: " + served.failure,
             fmt::format("Ask each name server for them, with DNSSEC: 'delv {} A'", name),
             {}}};
  }
  std::vector<Finding> out;
  const bool any = std::any_of(served.tlsa.begin(), served.tlsa.end(),
                               [](const auto& set) { return !set.records.empty(); });
  const bool secure = served.addresses_secure &&
                      std::all_of(served.tlsa.begin(), served.tlsa.end(),
                                  [](const auto& set) { return set.secure || !set.failure.empty(); });
  if (secure) {
    out.push_back({About::dnssec, name, State::ok, Weight::good, "signed", {}, {}});
  } else {
    // RFC 7672 2.2: TLSA records that DNSSEC does not vouch for are not looked at.
    out.push_back({About::dnssec,
                   name,
                   State::missing,
                   any ? Weight::warning : Weight::note,
                   any ? "not signed: its TLSA records are worth nothing"
                       : "not signed: TLSA records would be worth nothing",
                   "Sign the zone, and have its DS record published at the parent",
                   {}});
  }
  for (std::size_t port = 0; port < std::min(host.ports.size(), served.tlsa.size()); ++port) {
    for (Finding& f : Comparison(host, served, port, moment).findings()) out.push_back(std::move(f));
  }
  return out;
}

}  // namespace pinnace::publish
