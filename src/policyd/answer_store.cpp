#include "policyd/answer_store.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace pinnace::policyd {
namespace {

using store::Table;

constexpr std::string_view kByHop = "hop/", kByHost = "host/", kConditions = "conditions";
constexpr std::size_t kSweep = 1000;  // records a second
// More than these at once would hold the loop up.
constexpr std::size_t kMostWrites = 5000;

std::string hop_key(std::string_view key) { return std::string(kByHop) += key; }
std::string host_prefix(std::string_view host) { return (std::string(kByHost) += host) += '/'; }

}  // namespace

std::optional<Told> AnswerStore::find(const std::string& key) const {
  for (const auto* changed : {&changes_, &writing_}) {
    if (const auto at = changed->find(key); at != changed->end()) return at->second;
  }
  const auto record = db_.get(Table::answers, hop_key(key));
  if (!record || !*record) return std::nullopt;
  auto told = Told::decode(**record);
  return told ? std::optional(std::move(*told)) : std::nullopt;
}

void AnswerStore::save(const Told& told) { changes_[told.key] = told; }
void AnswerStore::erase(const std::string& key) { changes_[key] = std::nullopt; }

base::Result<> AnswerStore::load(const std::function<void(Told)>& fn) const {
  return db_.scan(Table::answers, kByHop, [&fn](std::string_view, std::string_view record) {
    if (auto told = Told::decode(record)) fn(std::move(*told));
    return true;
  });
}

std::vector<std::string> AnswerStore::served_unwritten(const std::string& host) const {
  std::vector<std::string> out;
  for (const auto* changed : {&changes_, &writing_}) {
    for (const auto& [key, told] : *changed) {
      if (told && std::find(told->hosts.begin(), told->hosts.end(), host) != told->hosts.end())
        out.push_back(key);
    }
  }
  return out;
}

std::vector<std::string> AnswerStore::served_by(const std::string& host, const std::string& after,
                                                std::size_t limit) const {
  std::vector<std::string> out;
  const std::string prefix = host_prefix(host);
  const auto from = prefix + after;
  std::size_t found = 0;
  const auto done = db_.scan_from(Table::answers, from, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(prefix) || found == limit) return false;
    if (key == from) return true;
    out.emplace_back(key.substr(prefix.size()));
    ++found;
    return true;
  });
  if (!done) base::log_error("answers_unreadable", {{"host", host}, {"detail", done.error().detail}});
  return out;
}

store::Batch AnswerStore::fresh_batch(const std::string& conditions) {
  store::Batch batch = db_.batch();
  // '0' is the octet behind '/'.
  batch.erase_range(Table::answers, "hop/", "hop0");
  batch.erase_range(Table::answers, "host/", "host0");
  batch.put(Table::answers, kConditions, conditions);
  return batch;
}

base::Result<> AnswerStore::begin(const std::string& conditions) {
  const auto before = db_.get(Table::answers, kConditions);
  if (!before) return std::unexpected(before.error());
  if (*before == conditions) return {};
  return db_.commit_at_start(fresh_batch(conditions));
}

io::Task<base::Result<>> AnswerStore::begin_again(std::string conditions) {
  changes_.clear();
  for (auto& [key, told] : writing_) told.reset();
  auto done =
      co_await db_.commit(fresh_batch(conditions), store::Durability::synced, store::Purpose::removes);
  co_return done;
}

// True: something is to be erased.
bool AnswerStore::sweep(store::Batch& batch, base::Time now) {
  std::size_t seen = 0, erased = 0;
  std::string last;
  const auto done =
      db_.scan_from(Table::answers, hop_key(swept_), [&](std::string_view key, std::string_view record) {
        if (!key.starts_with(kByHop) || seen == kSweep) return false;
        ++seen;
        last = key.substr(kByHop.size());
        const auto told = Told::decode(record);
        if (told && told->over() > now) return true;
        batch.erase(Table::answers, key);
        if (told) {
          for (const std::string& host : told->hosts)
            batch.erase(Table::answers, host_prefix(host) + told->key);
        }
        ++erased;
        return true;
      });
  (void)done;  // a next sweep tries again
  swept_ = seen < kSweep ? "" : last;
  return erased > 0;
}

io::Task<void> AnswerStore::tend(base::Time now) {
  if (tending_) co_return;
  tending_ = true;
  store::Batch batch = db_.batch();
  bool adds = false, changed = sweep(batch, now);
  // A record that was swept and made anew is written behind.
  for (auto at = changes_.begin(); at != changes_.end() && writing_.size() < kMostWrites;
       at = changes_.erase(at)) {
    if (at->second) {
      batch.put(Table::answers, hop_key(at->first), at->second->encode());
      for (const std::string& host : at->second->hosts)
        batch.put(Table::answers, host_prefix(host) + at->first, "");
      adds = true;
    } else {
      batch.erase(Table::answers, hop_key(at->first));
    }
    writing_[at->first] = std::move(at->second);
    changed = true;
  }
  if (changed) {
    const auto purpose = adds ? store::Purpose::adds : store::Purpose::removes;
    const auto done = co_await db_.commit(std::move(batch), store::Durability::buffered, purpose);
    // Not kept is served all the same, until the restart.
    if (!done && !failing_) {
      base::log_error("answers_not_stored",
                      {{"detail", done.error().detail},
                       {"what", "answers are given as before; those of now are unknown after a restart"}});
    }
    failing_ = !done;
  }
  writing_.clear();
  tending_ = false;
}

}  // namespace pinnace::policyd
