// What was told, in the store: by next hop, and which next hops a mail host serves. What was changed is seen
// at once; it is written a second later, many together. On the loop's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policyd/told.hpp"
#include "store/database.hpp"

namespace pinnace::policyd {

class AnswerStore {
 public:
  explicit AnswerStore(store::Database& db) : db_(db) {}

  // Nothing where there is none, and where it cannot be read: it is made anew then.
  std::optional<Told> find(const std::string& key) const;
  void save(const Told& told);
  void erase(const std::string& key);
  // Each, before the loop runs. A damaged one is passed over.
  base::Result<> load(const std::function<void(Told told)>& fn) const;
  // The next hops that have the host among theirs, or had it: those that are not written yet, and of the
  // others the first behind `after`.
  std::vector<std::string> served_unwritten(const std::string& host) const;
  std::vector<std::string> served_by(const std::string& host, const std::string& after,
                                     std::size_t limit) const;

  // What all answers were made under: with other rules or settings none of them says what it must. Erases
  // them if that is another than it was.
  base::Result<> begin(const std::string& conditions);  // before the loop runs
  io::Task<base::Result<>> begin_again(std::string conditions);

  // What was told of late may not be in the store.
  bool failing() const { return failing_; }
  std::size_t unwritten() const { return changes_.size() + writing_.size(); }

  // Once a second: writes what has changed, and erases a part of what is over.
  io::Task<void> tend(base::Time now);

 private:
  store::Batch fresh_batch(const std::string& conditions);
  bool sweep(store::Batch& batch, base::Time now);

  store::Database& db_;
  std::unordered_map<std::string, std::optional<Told>> changes_;  // nothing: erased
  std::unordered_map<std::string, std::optional<Told>> writing_;
  bool tending_ = false;
  std::string swept_;  // the key behind which the next sweep begins
  bool failing_ = false;
};

}  // namespace pinnace::policyd
