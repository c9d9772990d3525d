#include "discovery/sts_policies.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "discovery/answer_cache.hpp"
#include "dns/mail_hosts.hpp"
#include "sts/served.hpp"
#include "sts/txt.hpp"

namespace pinnace::discovery {
namespace {

constexpr std::size_t kMostFailures = 100'000;
constexpr int kMostRefreshing = 64;
constexpr base::Seconds kTick{1};

std::string_view policy_path() { return "/.well-known/mta-sts.txt"; }  // RFC 8461 3.2

}  // namespace

struct StsPolicies::FoundTxt {
  sts::TxtSeen seen;
  base::Seconds ttl{};
  static bool failed(const FoundTxt& t) {
    return t.seen.kind == sts::TxtSeen::Kind::failure || t.seen.kind == sts::TxtSeen::Kind::bogus;
  }
};

struct StsPolicies::Failure {
  base::Time at{};
  std::string id;  // RFC 8461 3.3: the pause is for this instance of the policy
  std::string problem, detail;
};

// One lookup with its fetch, for all who wait for it.
struct StsPolicies::Flight {
  Flight(io::Loop& loop, sts::Occasion o) : occasion(o), ended(loop) {}
  sts::Occasion occasion;
  io::Condition ended;
  Found found;
};

// However the lookup ends, those who wait go on.
struct StsPolicies::Landing {
  std::unordered_map<std::string, std::shared_ptr<Flight>>& flights;
  std::string domain;
  Flight& flight;
  ~Landing() {
    flight.ended.notify_all();
    flights.erase(domain);
  }
};

// One of the refreshes under way, however it ends.
struct StsPolicies::Slot {
  explicit Slot(int& count) : taken(count) { ++taken; }
  ~Slot() { --taken; }
  Slot(const Slot&) = delete;
  int& taken;
};

struct StsPolicies::Fetched {
  std::optional<sts::Cached> policy;
  std::string problem, detail;  // without
};

sts::TxtSeen txt_from(const dns::Answer& answer, const std::string& domain) {
  using Kind = sts::TxtSeen::Kind;
  if (answer.security == dns::Security::bogus) return {Kind::bogus, {}, answer.detail};
  std::vector<std::string> records;
  switch (answer.kind) {
    case dns::Answer::Kind::failure:
      return {Kind::failure, {}, answer.detail};
    case dns::Answer::Kind::no_data:
    case dns::Answer::Kind::no_domain:
      return {Kind::none, {}, fmt::format("there is no TXT record at _mta-sts.{}", domain)};
    case dns::Answer::Kind::records:
      break;
  }
  for (const std::string& rdata : answer.rdata) {
    if (auto text = dns::parse_txt(rdata)) records.push_back(std::move(*text));
  }
  auto parsed = sts::parse_txt(records);
  if (parsed.txt) return {Kind::record, std::move(parsed.txt->id), {}};
  return {Kind::none,
          {},
          fmt::format("the TXT record at _mta-sts.{} names no policy: {}", domain,
                      parsed.problems.empty() ? "" : parsed.problems.front())};
}

StsPolicies::StsPolicies(io::Loop& loop, dns::Resolver& resolver, store::Database* db,
                         const base::Clock& clock, http::Fetcher& fetcher)
    : loop_(loop),
      resolver_(resolver),
      clock_(clock),
      fetcher_(fetcher),
      store_(db),
      txts_(std::make_unique<AnswerCache<FoundTxt>>(loop, FoundTxt::failed)),
      random_(std::random_device{}()),
      ticker_(loop) {}

StsPolicies::~StsPolicies() = default;

base::Result<> StsPolicies::load() { return store_.load(); }
void StsPolicies::start_refreshing() { loop_.spawn(refresh_due()); }
base::Result<std::vector<sts::Cached>> StsPolicies::list() const { return store_.list(); }

io::Task<StsPolicies::Found> StsPolicies::find(names::Domain domain) {
  return join(domain.str(), sts::Occasion::delivery);
}

io::Task<void> StsPolicies::check_again(names::Domain domain) {
  const Found found = co_await join(domain.str(), sts::Occasion::check);
}

io::Task<base::Result<>> StsPolicies::forget(std::string domain) {
  // A fetch under way would bring it back.
  for (auto other = flights_.find(domain); other != flights_.end(); other = flights_.find(domain)) {
    const std::shared_ptr<Flight> flight = other->second;
    co_await flight->ended.wait();
  }
  failures_.erase(domain);
  auto done = co_await store_.erase(std::move(domain));
  co_return done;
}

std::shared_ptr<const sts::Cached> StsPolicies::live(const std::string& domain) {
  auto known = store_.find(domain);
  if (!known || !*known || !(*known)->live(clock_.now())) return nullptr;
  return *known;
}

io::Task<StsPolicies::Found> StsPolicies::join(std::string domain, sts::Occasion occasion) {
  for (;;) {
    const auto other = flights_.find(domain);
    if (other == flights_.end()) break;
    const std::shared_ptr<Flight> flight = other->second;
    if (occasion == sts::Occasion::delivery && flight->occasion == sts::Occasion::refresh) {
      // Mail does not wait for a refresh while the policy holds.
      if (const auto known = live(domain)) {
        co_return std::make_shared<const StsFound>(
            StsFound{StsFound::Kind::policy, known, false, "cached; it is being fetched again", {}});
      }
    }
    co_await flight->ended.wait();
    // One that came to no end for want of memory is taken up again.
    const bool same = occasion == sts::Occasion::delivery || occasion == flight->occasion;
    if (same && flight->found) co_return flight->found;
  }
  const auto flight = std::make_shared<Flight>(loop_, occasion);
  const Landing landing{flights_, domain, *flight};
  flights_.emplace(domain, flight);
  flight->found = co_await look(domain, occasion);
  co_return flight->found;
}

io::Task<StsPolicies::Found> StsPolicies::look(std::string domain, sts::Occasion occasion) {
  const sts::TxtSeen seen = co_await txt(domain, occasion);
  const auto known = store_.find(domain);
  const sts::Cached* cached = known ? known->get() : nullptr;
  const auto failure = failures_.find(domain);
  const std::string wanted = seen.kind == sts::TxtSeen::Kind::record ? seen.id : cached ? cached->id : "";
  std::optional<base::Time> failed;
  if (failure != failures_.end() && failure->second.id == wanted) failed = failure->second.at;
  const sts::NextStep step = sts::next_step(occasion, cached, seen, failed, clock_.now());
  if (step.act == sts::NextStep::Act::fetch) {
    Found fetched = co_await fetch_now(domain, wanted);
    co_return fetched;
  }
  StsFound found;
  found.detail = step.detail;
  if (step.act == sts::NextStep::Act::use_cached) {
    found.kind = StsFound::Kind::policy;
    found.cached = *known;
  } else if (step.act == sts::NextStep::Act::failure) {
    found.kind = StsFound::Kind::failure;
  } else {
    found.unsure = step.paused || seen.kind == sts::TxtSeen::Kind::failure;
  }
  if (step.paused && failed) {
    found.problem = failure->second.problem;
    found.detail += ": " + failure->second.detail;
  }
  if (!known && found.kind == StsFound::Kind::none) {
    found.kind = StsFound::Kind::failure;
    found.detail = known.error().detail;
  }
  co_return std::make_shared<const StsFound>(std::move(found));
}

io::Task<sts::TxtSeen> StsPolicies::txt(std::string domain, sts::Occasion occasion) {
  if (occasion == sts::Occasion::delivery) {
    if (const auto remembered = txts_->fresh(domain)) co_return remembered->seen;
  }
  const auto turn = txts_->begin(domain);
  std::string owner = "_mta-sts." + domain;
  const dns::Answer answer = co_await resolver_.query(std::move(owner), dns::Type::txt);
  const auto found = txts_->end(domain, FoundTxt{txt_from(answer, domain), answer.ttl});
  const auto cached = live(domain);
  if (cached && found->seen.kind == sts::TxtSeen::Kind::none) {
    // RFC 8461 10.2: a domain that gave its policy up takes the record away in peace.
    const bool given_up = cached->policy.mode == sts::Mode::none;
    base::log(given_up ? base::Level::info : base::Level::warning, "sts_txt_gone",
              {{"domain", domain},
               {"mode", std::string(to_string(cached->policy.mode))},
               {"expires", base::format_time(cached->expires())},
               {"what", found->seen.detail}});
  }
  co_return found->seen;
}

io::Task<StsPolicies::Fetched> StsPolicies::fetch(std::string domain, std::string id) {
  Fetched out;
  out.problem = sts::kFetchError;
  const auto host = names::Domain::parse("mta-sts." + domain);  // RFC 8461 3.2
  if (!host) {
    out.detail = host.error().detail;
    co_return out;
  }
  const dns::Addresses at = co_await dns::find_addresses(resolver_, host->str());
  if (at.kind != dns::Addresses::Kind::found) {
    out.detail = at.detail;
    co_return out;
  }
  http::Request request{host->str(), std::string(policy_path()), at.addresses};
  const base::Result<http::Response> got = co_await fetcher_.get(std::move(request));
  if (!got) {
    if (got.error().code == "http.tls") out.problem = sts::kWebpkiInvalid;
    out.detail = got.error().detail;
    co_return out;
  }
  sts::Served served = sts::read_served(got->status, got->content_type, got->body);
  out.problem = served.problem;
  out.detail = std::move(served.detail);
  if (!served.policy) co_return out;
  const base::Time now = clock_.now();
  const base::Time due = sts::refresh_time(now, served.policy->max_age, random_());
  out.policy = sts::Cached{std::move(domain), std::move(id), got->body, std::move(*served.policy), now, due};
  co_return out;
}

io::Task<StsPolicies::Found> StsPolicies::fetch_now(std::string domain, std::string id) {
  Fetched fetched = co_await fetch(domain, id);
  const auto known = store_.find(domain);
  std::shared_ptr<const sts::Cached> before = known.value_or(nullptr);
  StsFound found;
  if (fetched.policy) {
    failures_.erase(domain);
    found.kind = StsFound::Kind::policy;
    found.cached = std::make_shared<const sts::Cached>(*fetched.policy);
    co_await keep(found.cached, std::move(before));
    co_return std::make_shared<const StsFound>(std::move(found));
  }
  note_failure(domain, id, fetched);
  found.problem = fetched.problem;
  found.detail = fetched.detail;
  if (before && before->live(clock_.now())) {
    // RFC 8461 3.3: it is applied until it expires.
    found.kind = StsFound::Kind::policy;
    found.cached = before;
    found.detail = "cached; the fetch failed: " + fetched.detail;
  } else if (!known) {
    found.kind = StsFound::Kind::failure;
    found.detail = known.error().detail;
  } else {
    found.unsure = true;
  }
  co_return std::make_shared<const StsFound>(std::move(found));
}

void StsPolicies::note_failure(const std::string& domain, const std::string& id, const Fetched& fetched) {
  const base::Time now = clock_.now();
  if (failures_.size() >= kMostFailures) {
    std::erase_if(failures_, [now](const auto& f) { return now >= f.second.at + sts::kFetchPause; });
    if (failures_.size() >= kMostFailures) failures_.clear();
  }
  failures_[domain] = {now, id, fetched.problem, fetched.detail};
  // RFC 8461 3.3: an administrator is told, unless the policy that is known is of mode none.
  const auto cached = live(domain);
  const bool given_up = cached && cached->policy.mode == sts::Mode::none;
  base::log(given_up ? base::Level::info : base::Level::warning, "sts_fetch_failed",
            {{"domain", domain},
             {"problem", fetched.problem},
             {"what", fetched.detail},
             {"cached_until", cached ? base::format_time(cached->expires()) : "none"}});
}

io::Task<void> StsPolicies::keep(std::shared_ptr<const sts::Cached> policy,
                                 std::shared_ptr<const sts::Cached> before) {
  const std::string domain = policy->domain;
  const bool changed = before && before->body != policy->body;
  base::log_info(changed ? "sts_policy_changed" : "sts_policy_fetched",
                 {{"domain", domain},
                  {"id", policy->id},
                  {"mode", std::string(to_string(policy->policy.mode))},
                  {"max_age", std::to_string(policy->policy.max_age.count())},
                  {"before", before ? std::string(to_string(before->policy.mode)) : "none known"}});
  // A policy that lives for no time replaces the one before, and is not kept itself.
  const bool lasts = policy->policy.max_age > base::Seconds(0);
  base::Result<> done;
  if (lasts) {
    done = co_await store_.save(std::move(policy));
  } else if (before) {
    done = co_await store_.erase(domain);
  }
  if (!done) base::log_error("sts_policy_not_stored", {{"domain", domain}, {"what", done.error().detail}});
}

io::Task<void> StsPolicies::refresh_due() {
  for (;;) {
    const bool elapsed = co_await ticker_.wait(kTick);
    if (!elapsed) co_return;
    while (refreshing_ < kMostRefreshing) {
      auto domain = store_.take_due(clock_.now());
      if (!domain) break;
      loop_.spawn(refresh(std::move(*domain), std::make_shared<Slot>(refreshing_)));
    }
  }
}

io::Task<void> StsPolicies::refresh(std::string domain, std::shared_ptr<Slot> slot) {
  const Found found = co_await join(domain, sts::Occasion::refresh);
  const base::Time now = clock_.now();
  const auto cached = live(domain);
  const auto known = store_.find(domain);
  if (cached && cached->refresh <= now) {
    // A policy given up, without a TXT record, is waited for to expire.
    const bool failed = !found->problem.empty();
    store_.set_due(domain, failed ? sts::retry_time(now, cached->expires(), random_()) : cached->expires());
  } else if (known && *known && !cached) {
    const auto erased = co_await store_.erase(domain);
    if (!erased)
      base::log_error("sts_policy_not_erased", {{"domain", domain}, {"what", erased.error().detail}});
  }
  slot.reset();
}

}  // namespace pinnace::discovery
