// A part of the answers: those whose names' hashes fall into it. Who calls holds its mutex; times are seconds
// since the epoch.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "policyd/answers.hpp"
#include "policyd/texts.hpp"

namespace pinnace::policyd {

using Moment = std::uint32_t;
inline constexpr Moment kNever = 0xffffffff;

// Down to the second: nothing is given for longer than it may be.
Moment to_moment(base::Time at);
base::Time to_time(Moment at);

class AnswersShard {
 public:
  AnswersShard(const KeyedHash& hash, std::size_t most_octets) : texts_(hash), most_(most_octets) {}

  struct Key {
    std::uint32_t hash;
    Profile profile;
    std::string_view domain;
  };
  bool find(const Key& key, Moment now, std::string& out);
  bool put(const Key& key, const Answer& answer);
  Moment erase(const Key& key);  // when it was asked for the last time; 0: it was not there
  void clear();

  // When the first of those whose time is awaited is to be looked up again; kNever: there is none.
  Moment first() const;
  // Takes that one out of those awaited. False: nobody has asked for it, so it is not looked up, nor kept.
  bool take_first(Moment now, Answers::Due& out);
  // Looks at so many of them.
  void drop_old(Moment now, std::uint32_t looks);

  std::size_t size() const { return entries_.size(); }
  std::size_t octets() const { return octets_ + texts_.octets(); }
  std::uint64_t evicted() const { return evicted_; }

  mutable std::mutex mutex;

 private:
  enum Flag : std::uint8_t {
    kKept = 1,      // never evicted
    kAsked = 2,     // since it was put
    kUsed = 4,      // since it was looked at for eviction
    kSleeping = 8,  // its time came before anybody asked
  };
  struct Entry {
    std::uint32_t hash = 0, text = kNone;
    Moment refresh = 0, usable = 0, asked = 0;
    std::uint32_t place = kNone;                  // in times_
    std::uint32_t before = kNone, after = kNone;  // in the queue of those that can be evicted
    std::uint16_t size = 0;
    Profile profile = 0;
    std::uint8_t flags = 0;
    std::unique_ptr<char[]> name;

    std::string_view domain() const { return {name.get(), size}; }
  };

  auto hash_of() const {
    return [this](std::uint32_t number) { return entries_[number].hash; };
  }
  static std::size_t cost(std::size_t name) { return sizeof(Entry) + 16 + allocated(name); }
  std::uint32_t look_up(const Key& key) const;
  bool make_room(std::size_t octets);
  void remove(std::uint32_t number);

  void enqueue(std::uint32_t number);
  void dequeue(std::uint32_t number);

  void await(std::uint32_t number);
  void forget_time(std::uint32_t number);
  void set_place(std::uint32_t place, std::uint32_t number);
  void sift_up(std::uint32_t place);
  void sift_down(std::uint32_t place);

  HashIndex index_;
  Pool<Entry> entries_;
  Texts texts_;
  std::vector<std::uint32_t> times_;  // a binary heap, the earliest refresh first
  std::uint32_t oldest_ = kNone, newest_ = kNone;
  std::uint32_t hand_ = 0;  // of drop_old
  std::size_t octets_ = 0;  // the texts' aside
  std::size_t most_;
  std::uint64_t evicted_ = 0;
};

}  // namespace pinnace::policyd
