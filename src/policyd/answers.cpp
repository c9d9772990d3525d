#include "policyd/answers.hpp"

#include <algorithm>
#include <bit>
#include <deque>

#include "policyd/answers_shard.hpp"

namespace pinnace::policyd {
namespace {

constexpr std::size_t kMostShards = 64;
constexpr std::size_t kShardOctets = 1 << 20;  // a smaller one would be full too soon by chance
constexpr std::size_t kMostKey = 300;          // "[" a domain of 253 "]:65535"

}  // namespace

struct Answers::Impl {
  KeyedHash hash;
  std::deque<AnswersShard> shards;  // a power of two of them

  explicit Impl(std::size_t most) {
    const std::size_t count = std::bit_floor(std::clamp(most / kShardOctets, std::size_t{1}, kMostShards));
    for (std::size_t i = 0; i < count; ++i) shards.emplace_back(hash, most / count);
  }

  // What fn gives for the key in its shard, which is locked meanwhile.
  template <class F>
  auto at(Profile profile, std::string_view domain, F fn) {
    const std::uint64_t hashed = hash(domain, profile);
    AnswersShard& shard = shards[(hashed >> 32) & (shards.size() - 1)];
    const std::lock_guard lock(shard.mutex);
    return fn(shard, AnswersShard::Key{static_cast<std::uint32_t>(hashed), profile, domain});
  }
  template <class F>
  auto sum(F fn) const {
    decltype(fn(shards.front())) out = 0;
    for (const AnswersShard& shard : shards) {
      const std::lock_guard lock(shard.mutex);
      out += fn(shard);
    }
    return out;
  }
};

Answers::Answers(std::size_t most_octets) : impl_(std::make_unique<Impl>(most_octets)) {}
Answers::~Answers() = default;

bool Answers::find(Profile profile, std::string_view domain, base::Time now, std::string& out) {
  return impl_->at(profile, domain, [&](AnswersShard& shard, const AnswersShard::Key& key) {
    return shard.find(key, to_moment(now), out);
  });
}

bool Answers::put(Profile profile, std::string_view domain, Answer answer) {
  if (domain.empty() || domain.size() > kMostKey) return false;
  return impl_->at(profile, domain,
                   [&](AnswersShard& shard, const AnswersShard::Key& key) { return shard.put(key, answer); });
}

base::Time Answers::erase(Profile profile, std::string_view domain) {
  const Moment asked = impl_->at(
      profile, domain, [](AnswersShard& shard, const AnswersShard::Key& key) { return shard.erase(key); });
  return to_time(asked);
}

void Answers::clear() {
  for (AnswersShard& shard : impl_->shards) {
    const std::lock_guard lock(shard.mutex);
    shard.clear();
  }
}

// Each is taken under a lock of its own, so that whoever asks waits for one step at most.
std::vector<Answers::Due> Answers::due(base::Time now, std::size_t limit) {
  constexpr std::size_t kMostUnasked = 4096;
  const Moment at = to_moment(now);
  std::vector<Moment> firsts;
  for (const AnswersShard& shard : impl_->shards) {
    const std::lock_guard lock(shard.mutex);
    firsts.push_back(shard.first());
  }
  std::vector<Due> out;
  for (std::size_t unasked = 0; out.size() < limit && unasked < kMostUnasked;) {
    const auto first = std::min_element(firsts.begin(), firsts.end());
    if (*first > at) break;
    AnswersShard& shard = impl_->shards[static_cast<std::size_t>(first - firsts.begin())];
    const std::lock_guard lock(shard.mutex);
    if (shard.first() <= at) {
      Due due;
      if (shard.take_first(at, due)) {
        out.push_back(std::move(due));
      } else {
        ++unasked;
      }
    }
    *first = shard.first();
  }
  return out;
}

void Answers::drop_old(base::Time now) {
  constexpr std::uint32_t kLooks = 256;
  for (AnswersShard& shard : impl_->shards) {
    const std::lock_guard lock(shard.mutex);
    shard.drop_old(to_moment(now), kLooks);
  }
}

std::size_t Answers::size() const {
  return impl_->sum([](const AnswersShard& shard) { return shard.size(); });
}
std::size_t Answers::octets() const {
  return impl_->sum([](const AnswersShard& shard) { return shard.octets(); });
}
std::uint64_t Answers::evicted() const {
  return impl_->sum([](const AnswersShard& shard) { return shard.evicted(); });
}

}  // namespace pinnace::policyd
