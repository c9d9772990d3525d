// What was told, in the store: by next hop, and which next hops a mail host serves. What was changed is seen
// at once; it is written a second later, many together. What the store cannot take is known here, within
// bounds, until it can; what it has of these next hops is erased, so that nothing older comes back. On the
// loop's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policyd/told.hpp"
#include "store/database.hpp"

namespace pinnace::policyd {

class AnswerStore {
 public:
  // `most_unwritten`: answers that are remembered here while the store takes none.
  explicit AnswerStore(store::Database& db, std::size_t most_unwritten = 20'000)
      : db_(db), most_unwritten_(most_unwritten) {}

  // Nothing where there is none, and where it cannot be read: it is made anew then.
  std::optional<Told> find(const std::string& key) const;
  void save(const Told& told);
  void erase(const std::string& key);
  // Each, before the loop runs. A damaged one is passed over.
  base::Result<> load(const std::function<void(Told told)>& fn) const;
  // The next hops that have the host among theirs, or had it: those that are not written yet, and of the
  // others the first behind `after`.
  std::vector<std::string> served_unwritten(const std::string& host) const;
  base::Result<std::vector<std::string>> served_by(const std::string& host, const std::string& after,
                                                   std::size_t limit) const;

  // What all answers were made under: with other rules or settings none of them says what it must. Erases
  // them if that is another than it was.
  base::Result<> begin(const std::string& conditions);  // before the loop runs
  io::Task<base::Result<>> begin_again(std::string conditions);

  // What was told of late may not be in the store.
  bool failing() const { return failing_; }
  // Of some answers it is not known here whom they serve: true once for those that came to be so since.
  bool take_lost() { return std::exchange(lost_, false); }
  // What the database has is told no more, for what is to be erased of it cannot be.
  void distrust() { distrusted_ = true; }
  std::size_t unwritten() const { return changes_.size() + writing_.size(); }

  // Once a second: writes what has changed, and erases a part of what is over.
  io::Task<void> tend(base::Time now);

 private:
  struct Writes;
  store::Batch fresh_batch(const std::string& conditions);
  bool readable() const { return beginning_ == 0 && !distrusted_; }
  std::optional<Told> stored(const std::string& key) const;
  Writes collect(base::Time now);
  bool sweep(store::Batch& batch, base::Time now);
  io::Task<void> write(Writes writes);
  io::Task<void> put_off();

  store::Database& db_;
  std::size_t most_unwritten_;
  std::unordered_map<std::string, std::optional<Told>> changes_;  // nothing: erased
  std::unordered_map<std::string, std::optional<Told>> writing_;
  bool tending_ = false;
  std::string swept_;  // the key behind which the next sweep begins
  bool failing_ = false;
  bool lost_ = false;
  int beginning_ = 0;  // what the database has was made under other conditions: being erased
  bool distrusted_ = false;
};

}  // namespace pinnace::policyd
