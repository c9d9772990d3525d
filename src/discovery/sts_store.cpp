#include "discovery/sts_store.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace pinnace::discovery {
namespace {

constexpr std::size_t kMostOctets = 32 << 20;
constexpr std::size_t kMostDue = 500'000;

// The text, the same parsed, and what holds them.
std::size_t octets_of(const sts::Cached* policy) { return 512 + (policy ? 3 * policy->body.size() : 0); }

}  // namespace

using store::Table;

base::Result<> StsStore::load() {
  if (!db_) return {};
  return db_->scan(Table::sts, "", [this](std::string_view domain, std::string_view record) {
    const auto policy = sts::Cached::decode(record);
    if (policy) {
      set_due(policy->domain, std::min(policy->refresh, policy->expires()));
    } else {
      base::log_error("sts_record_damaged",
                      {{"domain", std::string(domain)}, {"what", policy.error().detail}});
    }
    return true;
  });
}

base::Result<std::shared_ptr<const sts::Cached>> StsStore::find(const std::string& domain) {
  const auto kept = kept_.find(domain);
  if (kept != kept_.end()) return kept->second.policy;
  if (!db_) return nullptr;
  const auto record = db_->get(Table::sts, domain);
  if (!record) return std::unexpected(record.error());
  if (!*record) return nullptr;
  auto policy = sts::Cached::decode(**record);
  if (!policy) return std::unexpected(policy.error());
  auto shared = std::make_shared<const sts::Cached>(std::move(*policy));
  keep(domain, shared, 0);
  return shared;
}

base::Result<std::vector<sts::Cached>> StsStore::list() const {
  std::map<std::string, sts::Cached, std::less<>> found;
  base::Result<> result;
  if (db_) {
    auto scanned = db_->scan(Table::sts, "", [&](std::string_view domain, std::string_view record) {
      auto policy = sts::Cached::decode(record);
      if (policy) {
        found.insert_or_assign(std::string(domain), std::move(*policy));
      } else {
        result = std::unexpected(policy.error());
      }
      return result.has_value();
    });
    if (!scanned) return std::unexpected(scanned.error());
    if (!result) return std::unexpected(result.error());
  }
  for (const auto& [domain, kept] : kept_) {
    found.erase(domain);
    if (kept.policy) found.emplace(domain, *kept.policy);
  }
  std::vector<sts::Cached> out;
  for (auto& [domain, policy] : found) out.push_back(std::move(policy));
  return out;
}

// What is being written stays; of the rest it does not matter which go, the store has them.
void StsStore::make_room() {
  if (kept_octets_ <= kMostOctets) return;
  for (auto it = kept_.begin(); it != kept_.end() && kept_octets_ > kMostOctets / 2;) {
    if (it->second.writes > 0) {
      ++it;
      continue;
    }
    kept_octets_ -= it->second.octets;
    if (!db_) drop_due(it->first);
    it = kept_.erase(it);
  }
}

void StsStore::keep(const std::string& domain, std::shared_ptr<const sts::Cached> policy, int writes) {
  make_room();
  Kept& kept = kept_[domain];
  kept_octets_ -= kept.octets;
  kept.octets = octets_of(policy.get());
  kept_octets_ += kept.octets;
  kept.policy = std::move(policy);
  kept.writes += writes;
}

io::Task<base::Result<>> StsStore::write(std::string domain, store::Batch batch, store::Purpose purpose) {
  auto done = co_await db_->commit(std::move(batch), store::Durability::synced, purpose);
  --kept_[domain].writes;
  co_return done;
}

io::Task<base::Result<>> StsStore::save(std::shared_ptr<const sts::Cached> policy) {
  const std::string domain = policy->domain;
  set_due(domain, std::min(policy->refresh, policy->expires()));
  keep(domain, policy, db_ ? 1 : 0);
  if (!db_) co_return base::Result<>();
  store::Batch batch = db_->batch();
  batch.put(Table::sts, domain, policy->encode());
  auto done = co_await write(domain, std::move(batch), store::Purpose::adds);
  co_return done;
}

io::Task<base::Result<>> StsStore::erase(std::string domain) {
  drop_due(domain);
  keep(domain, nullptr, db_ ? 1 : 0);
  if (!db_) co_return base::Result<>();
  store::Batch batch = db_->batch();
  batch.erase(Table::sts, domain);
  auto done = co_await write(domain, std::move(batch), store::Purpose::removes);
  co_return done;
}

void StsStore::drop_due(const std::string& domain) {
  const auto known = due_at_.find(domain);
  if (known == due_at_.end()) return;
  due_.erase({known->second, domain});
  due_at_.erase(known);
}

// One that finds no place is fetched again when it has expired and mail is sent there.
void StsStore::set_due(const std::string& domain, base::Time at) {
  drop_due(domain);
  if (due_.size() >= kMostDue) return;
  due_at_.emplace(domain, at);
  due_.emplace(at, domain);
}

std::optional<std::string> StsStore::take_due(base::Time now) {
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  std::string domain = due_.begin()->second;
  drop_due(domain);
  return domain;
}

}  // namespace pinnace::discovery
