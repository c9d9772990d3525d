// The ledgers of a gate's names in its store. What may be said is written before it is, some time ahead, so
// that it is one write an hour and not one a session; where it cannot be written, nothing is promised.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "gate/face.hpp"
#include "pins/ledger.hpp"
#include "store/database.hpp"

namespace pinnace::gate {

class Promises {
 public:
  // What cannot be read is an error, since nobody knows then what was promised; or passed over, where the
  // ledger is about to be rebuilt.
  enum class Damaged { refused, passed_over };
  // Reads what the store holds. Errors: the store's, and "pins.ledger".
  static base::Result<std::unique_ptr<Promises>> open(store::Database& database, const base::Clock& clock,
                                                      Damaged damaged = Damaged::refused);

  pins::Ledger& of(const std::string& hostname) { return ledgers_[hostname]; }
  const std::map<std::string, pins::Ledger>& ledgers() const { return ledgers_; }

  // Is it on the disk that this may be said now?
  bool may_say(const std::string& hostname, const pins::Advert& advert) const;
  // The adverts of all names are promised for a while to come. What is too much is logged, and not said.
  void cover(const Face& face);

  // Makes durable what the ledgers hold; before the loop runs, and while it does.
  base::Result<> write_at_start();
  io::Task<base::Result<>> write();

 private:
  Promises(store::Database& database, const base::Clock& clock) : database_(database), clock_(clock) {}
  store::Batch changes() const;

  store::Database& database_;
  const base::Clock& clock_;
  std::map<std::string, pins::Ledger> ledgers_;
  std::map<std::string, pins::Ledger> written_;  // as the disk has them
};

}  // namespace pinnace::gate
