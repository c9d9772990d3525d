// The answers that are ready: domains in, what Postfix is told out, in memory. Any thread may ask; one looks
// up and puts. Compact: millions of domains share few different texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace pinnace::policyd {

using Profile = std::uint8_t;  // the number of a map in the configuration

struct Answer {
  std::string reply;     // "OK secure match=...", "NOTFOUND ", "TEMP why"
  base::Time refresh{};  // looked up again then, if it was asked for since
  base::Time usable{};   // given until then: later than `refresh` where the lookup may fail
  // An enforced pin or an unexpired MTA-STS policy is behind it: never evicted, until nobody has asked for it
  // in a week. Those are kept elsewhere: what is evicted is made again from them.
  bool kept = false;
  base::Time asked{};  // for it, the last time
};

// So long after the last question an answer that is kept is made anew.
inline constexpr base::Seconds kWanted = std::chrono::days(7);

class Answers {
 public:
  explicit Answers(std::size_t most_octets);  // of memory, about
  ~Answers();

  // Appends the reply to `out`; false: there is none that can be given now. Any thread.
  bool find(Profile profile, std::string_view domain, base::Time now, std::string& out);
  // False: there is no room, all that is here being kept.
  bool put(Profile profile, std::string_view domain, Answer answer);
  // When it was asked for the last time, if it was there.
  base::Time erase(Profile profile, std::string_view domain);
  void clear();

  // Domains whose time to be looked up again has come and that were asked for since the last time (or are
  // kept), at most `limit`, the longest overdue first. Each is given once until it is put again.
  struct Due {
    Profile profile;
    std::string domain;
    base::Time asked{};
  };
  std::vector<Due> due(base::Time now, std::size_t limit);
  // Drops what can be given no more, a bounded part at a time.
  void drop_old(base::Time now);

  std::size_t size() const;    // domains
  std::size_t octets() const;  // of memory, about
  std::uint64_t evicted() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pinnace::policyd
