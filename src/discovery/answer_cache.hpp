// What the DNS answered, remembered as long as it allows, within bounds. On the loop's thread.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>

#include "io/loop.hpp"

namespace pinnace::discovery {

// T has a `ttl`; `failed` tells a failure, which is remembered for moments only.
template <class T>
class AnswerCache {
 public:
  AnswerCache(io::Loop& loop, bool (*failed)(const T&)) : loaded(loop), failed_(failed) {}

  std::shared_ptr<const T> fresh(const std::string& key) const {
    const auto entry = entries_.find(key);
    if (entry == entries_.end() || entry->second.loading || entry->second.until <= io::Steady::now())
      return nullptr;
    return entry->second.value;
  }
  // Somebody looks it up; `loaded` tells when that has ended.
  bool loading(const std::string& key) const {
    const auto entry = entries_.find(key);
    return entry != entries_.end() && entry->second.loading;
  }
  // Held by who looks it up: one that comes to no end() leaves the turn to the next, and nobody waits for it.
  class Turn {
   public:
    Turn(AnswerCache& cache, std::string key) : cache_(cache), key_(std::move(key)) {}
    Turn(const Turn&) = delete;
    ~Turn() {
      const auto entry = cache_.entries_.find(key_);
      if (entry == cache_.entries_.end() || !entry->second.loading) return;
      entry->second.loading = false;
      cache_.loaded.notify_all();
    }

   private:
    AnswerCache& cache_;
    std::string key_;
  };
  Turn begin(const std::string& key) {
    if (entries_.size() >= kMostEntries) {
      std::erase_if(entries_, [](const auto& e) { return !e.second.loading; });
    }
    entries_[key].loading = true;
    return Turn(*this, key);
  }
  std::shared_ptr<const T> end(const std::string& key, T value) {
    Entry& entry = entries_[key];
    entry.loading = false;
    entry.until = io::Steady::now() + (failed_(value) ? kFailure : std::clamp(value.ttl, kLeast, kMost));
    entry.value = std::make_shared<const T>(std::move(value));
    loaded.notify_all();
    return entry.value;
  }

  io::Condition loaded;

 private:
  static constexpr std::size_t kMostEntries = 100'000;
  static constexpr base::Seconds kLeast{1}, kMost = std::chrono::hours(1);
  static constexpr base::Seconds kFailure{5};  // a failure is not asked for again at once

  struct Entry {
    std::shared_ptr<const T> value;
    io::Steady::time_point until{};
    bool loading = false;
  };
  bool (*failed_)(const T&);
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace pinnace::discovery
