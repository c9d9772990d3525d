// What a domain declares, against what it should: MX hosts, MTA-STS (RFC 8461), TLSRPT (RFC 8460).
#include <fmt/format.h>

#include <algorithm>

#include "publish/comparison.hpp"
#include "sts/txt.hpp"
#include "tlsrpt/txt.hpp"

namespace pinnace::publish {
namespace {

using About = Finding::About;

// Does a record mean to be of that kind?
bool declares(const std::vector<std::string>& records, std::string_view version) {
  return std::any_of(records.begin(), records.end(),
                     [version](const std::string& r) { return r.starts_with(version); });
}

class Comparison {
 public:
  Comparison(const Settings& settings, const Domain& domain, const ServedDomain& served)
      : settings_(settings), domain_(domain), served_(served), policy_(policy_of(settings, domain)) {}

  std::vector<Finding> findings() {
    add_mx();
    add_policy();
    add_record(About::sts, policy_ ? std::optional(sts_record(domain_, policy_->id)) : std::nullopt,
               "_mta-sts." + domain_.name.str(), served_.sts, "v=STSv1");
    add_record(About::tlsrpt, domain_.tlsrpt.empty() ? std::nullopt : std::optional(tlsrpt_record(domain_)),
               "_smtp._tls." + domain_.name.str(), served_.tlsrpt, "v=TLSRPTv1");
    return std::move(out_);
  }

 private:
  void add(About about, std::string owner, State state, Weight weight, std::string text,
           std::string remedy = {}) {
    out_.push_back({about, std::move(owner), state, weight, std::move(text), std::move(remedy), {}});
  }
  void add_mx();
  void add_policy();
  void add_record(About about, const std::optional<Record>& wanted, const std::string& owner,
                  const ServedSet<std::string>& served, std::string_view version);
  // Of the hosts that the DNS names, those that the served policy keeps mail from; empty: none.
  std::vector<std::string> shut_out() const;
  bool wrong_pins() const;
  std::string url() const { return fmt::format("https://{}{}", policy_host(domain_.name), kPolicyPath); }

  const Settings& settings_;
  const Domain& domain_;
  const ServedDomain& served_;
  std::optional<Policy> policy_;
  std::vector<Finding> out_;
};

void Comparison::add_mx() {
  const std::string& name = domain_.name.str();
  if (!served_.mx.failure.empty())
    return add(About::mx, name, State::unknown, Weight::held, "cannot be looked up: " + served_.mx.failure,
               fmt::format("Ask each name server for it: 'delv {} MX'", name));
  for (const names::Domain& mx : domain_.mx) {
    const auto& there = served_.mx.records;
    if (std::find(there.begin(), there.end(), mx.str()) != there.end()) {
      add(About::mx, name, State::ok, Weight::good, mx.str());
    } else {
      add(About::mx, name, State::missing, Weight::warning, mx.str() + ": no mail comes to it",
          fmt::format("Publish an MX record of {} that names it, or take it out of 'mx'", name));
    }
  }
  for (const std::string& mx : served_.mx.records) {
    const auto same = [&mx](const names::Domain& d) { return d.str() == mx; };
    if (std::any_of(domain_.mx.begin(), domain_.mx.end(), same)) continue;
    const bool binds = policy_ && policy_->policy.mode == sts::Mode::enforce;
    add(About::mx, name, State::extra, binds ? Weight::warning : Weight::note,
        mx + (binds ? ": not in the policy, so that senders do not use it" : ": not named in 'mx'"),
        fmt::format("Add it to 'mx' of {}, or take its MX record away", name));
  }
}

std::vector<std::string> Comparison::shut_out() const {
  std::vector<std::string> out;
  for (const std::string& mx : served_.mx.records) {
    if (!served_.policy->lists(mx)) out.push_back(mx);
  }
  return out;
}

// pinning-protocol 4.3: some pin of the policy must match, whichever key is shown.
bool Comparison::wrong_pins() const {
  const auto& pins = served_.policy->pins;
  if (pins.empty()) return false;
  for (const names::Domain& mx : domain_.mx) {
    const Host* host = settings_.host(mx);
    if (!host) continue;
    for (const Key& key : host->live) {
      if (std::find(pins.begin(), pins.end(), key.pin) == pins.end()) return true;
    }
  }
  return false;
}

void Comparison::add_policy() {
  if (!policy_) {
    if (served_.policy)
      add(About::policy, url(), State::extra, Weight::note, "a policy is served, and none is meant to be",
          "Serve mode: none until every sender's copy is over (RFC 8461 8.3): sts = \"none\"");
    return;
  }
  const std::string serve =
      fmt::format("Serve what 'pinnace publish sts {}' prints, then publish the record", domain_.name.str());
  if (!served_.policy) {
    return add(About::policy, url(), State::missing, Weight::warning, served_.policy_failure, serve);
  }
  const sts::Policy& is = *served_.policy;
  const sts::Policy& should = policy_->policy;
  std::vector<std::string> differs;
  if (is.mode != should.mode)
    differs.push_back(fmt::format("mode {} for {}", sts::to_string(is.mode), sts::to_string(should.mode)));
  if (is.mx != should.mx) differs.emplace_back("other mx hosts");
  if (is.max_age != should.max_age)
    differs.push_back(fmt::format("max_age {} for {}", is.max_age.count(), should.max_age.count()));
  if (is.pins != should.pins) differs.emplace_back("other pins");
  if (differs.empty()) {
    return add(
        About::policy, url(), State::ok, Weight::good,
        fmt::format("mode {}, max_age {}", sts::to_string(is.mode), base::format_duration(is.max_age)));
  }
  Weight weight = Weight::warning;
  std::string text = fmt::format("{}", fmt::join(differs, ", "));
  if (is.mode == sts::Mode::enforce) {
    const auto out = shut_out();
    if (!out.empty()) text += fmt::format("; it keeps mail from {}", fmt::join(out, ", "));
    if (!out.empty() && out.size() == served_.mx.records.size()) weight = Weight::held;
    if (wrong_pins()) {
      weight = Weight::held;
      text += "; a live key is not among its pins";
    }
  }
  add(About::policy, url(), State::stale, weight, std::move(text), serve);
}

void Comparison::add_record(About about, const std::optional<Record>& wanted, const std::string& owner,
                            const ServedSet<std::string>& served, std::string_view version) {
  if (!served.failure.empty()) {
    return add(about, owner, State::unknown, Weight::warning, "cannot be looked up: " + served.failure,
               fmt::format("Ask each name server for it: 'delv {} TXT'", owner));
  }
  if (!wanted) {
    if (declares(served.records, version))
      add(about, owner, State::extra, Weight::warning, "a record is there, and none is meant to be",
          about == About::sts ? "Delete it; senders keep the policy until its max_age is over" : "Delete it");
    return;
  }
  const std::string publish = "Publish " + zone_line(*wanted, base::Seconds(3600));
  if (!declares(served.records, version))
    return add(about, owner, State::missing, Weight::warning, wanted->text, publish);
  // RFC 8461 3.1, RFC 8460 3: with more than one, none counts.
  const bool alone = std::count_if(served.records.begin(), served.records.end(),
                                   [&](const std::string& r) { return r.starts_with(version); }) == 1;
  bool same = false;
  if (about == About::sts) {
    const auto read = sts::parse_txt(served.records), ours = sts::parse_txt(std::vector{wanted->text});
    same = read.txt && ours.txt && read.txt->id == ours.txt->id;
  } else {
    const auto read = tlsrpt::parse_txt(served.records);
    same = read.txt && read.txt->rua == domain_.tlsrpt;
  }
  if (same) return add(about, owner, State::ok, Weight::good, wanted->text);
  const std::string there = alone ? *std::find_if(served.records.begin(), served.records.end(),
                                                  [&](const auto& r) { return r.starts_with(version); })
                                  : "several records, of which then none counts";
  add(about, owner, State::stale, Weight::warning, there, publish + " in its place");
}

}  // namespace

std::vector<Finding> compare(const Settings& settings, const Domain& domain, const ServedDomain& served) {
  return Comparison(settings, domain, served).findings();
}

}  // namespace pinnace::publish
