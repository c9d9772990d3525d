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
  return readable() ? stored(key) : std::nullopt;
}

std::optional<Told> AnswerStore::stored(const std::string& key) const {
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

base::Result<std::vector<std::string>> AnswerStore::served_by(const std::string& host,
                                                              const std::string& after,
                                                              std::size_t limit) const {
  std::vector<std::string> out;
  if (!readable()) return out;
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
  if (!done) return std::unexpected(done.error());
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
  ++beginning_;
  auto done =
      co_await db_.commit(fresh_batch(conditions), store::Durability::synced, store::Purpose::removes);
  // Else never again: a restart finds other conditions than its own and erases.
  if (done) --beginning_;
  co_return done;
}

struct AnswerStore::Writes {
  store::Batch removed, added;
  bool removes = false, adds = false;
};

// True: something is to be erased.
bool AnswerStore::sweep(store::Batch& batch, base::Time now) {
  if (!readable()) return false;
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

AnswerStore::Writes AnswerStore::collect(base::Time now) {
  Writes out{db_.batch(), db_.batch()};
  out.removes = sweep(out.removed, now);
  // A record that was swept and made anew is written behind.
  for (auto at = changes_.begin(); at != changes_.end() && writing_.size() < kMostWrites;
       at = changes_.erase(at)) {
    const auto& [key, told] = *at;
    // It serves them no more.
    if (const auto before = stored(key)) {
      for (const std::string& host : before->hosts) {
        if (told && std::find(told->hosts.begin(), told->hosts.end(), host) != told->hosts.end()) continue;
        out.removed.erase(Table::answers, host_prefix(host) + key);
        out.removes = true;
      }
    }
    if (told) {
      out.added.put(Table::answers, hop_key(key), told->encode());
      for (const std::string& host : told->hosts) out.added.put(Table::answers, host_prefix(host) + key, "");
      out.adds = true;
    } else {
      out.removed.erase(Table::answers, hop_key(key));
      out.removes = true;
    }
    writing_[key] = std::move(at->second);
  }
  return out;
}

// What is erased is so on a full disk too.
io::Task<void> AnswerStore::write(Writes writes) {
  base::Result<> done;
  if (writes.removes) {
    done =
        co_await db_.commit(std::move(writes.removed), store::Durability::buffered, store::Purpose::removes);
    if (!done) distrust();
  }
  if (done && writes.adds)
    done = co_await db_.commit(std::move(writes.added), store::Durability::buffered, store::Purpose::adds);
  // Not kept is served all the same, until the restart.
  if (!done && !failing_) {
    base::log_error("answers_not_stored",
                    {{"detail", done.error().detail},
                     {"what", "answers are given as before; those of now are unknown after a restart"}});
  }
  if (writes.removes || writes.adds) failing_ = !done;
}

// What was not written is written later, as far as there is room for it here; what the store has instead is
// older and may be weaker.
io::Task<void> AnswerStore::put_off() {
  store::Batch batch = db_.batch();
  bool any = false;
  for (const auto& [key, told] : writing_) {
    const auto before = stored(key);
    if (!before) continue;
    batch.erase(Table::answers, hop_key(key));
    for (const std::string& host : before->hosts) batch.erase(Table::answers, host_prefix(host) + key);
    any = true;
  }
  if (any) {
    const auto done =
        co_await db_.commit(std::move(batch), store::Durability::buffered, store::Purpose::removes);
    if (!done) distrust();
  }
  for (auto& [key, told] : writing_) {
    if (!told) continue;
    if (changes_.size() < most_unwritten_) {
      changes_.try_emplace(key, std::move(told));
    } else {
      lost_ = lost_ || !changes_.contains(key);
    }
  }
}

io::Task<void> AnswerStore::tend(base::Time now) {
  if (tending_) co_return;
  tending_ = true;
  Writes writes = collect(now);
  const bool any = !writing_.empty();
  co_await write(std::move(writes));
  if (failing_ && any) co_await put_off();
  writing_.clear();
  tending_ = false;
}

}  // namespace pinnace::policyd
