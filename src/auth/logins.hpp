// Says whether a user's password is right. Passwords are checked one at a time on a thread of their own;
// a bounded number waits. The file of users is read again when it has changed.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "auth/throttle.hpp"
#include "auth/user_file.hpp"
#include "io/worker.hpp"

namespace pinnace::auth {

struct Verdict {
  enum class Kind { good, bad, later };  // later: it could not be looked at now
  Kind kind = Kind::later;
  std::string why;                   // with bad and later, for the log
  std::vector<std::string> senders;  // with good: as in User
};

class Logins {
 public:
  static constexpr std::size_t kMostWaiting = 100;

  Logins(io::Loop& loop, const base::Clock& clock, std::string file, ThrottleSettings throttle = {});

  // Before the first check. Errors: UserFile::load's.
  base::Result<> load();
  // Reads the file again where it changed. One that cannot be read is logged, and changes nothing.
  io::Task<void> reload();
  // `client` names a network that is one party, for the throttle.
  io::Task<Verdict> check(std::string client, std::string user, std::string password);
  // Whom a user may send as (User) whom somebody else has let in; any, of one whom the file does not have.
  io::Task<std::vector<std::string>> senders_of(std::string user);

 private:
  struct Users;  // the worker's
  struct Turn;

  // Until a login under way ends; false: it did not, for so long.
  io::Task<bool> another_ends(base::Milliseconds patience);

  io::Loop& loop_;
  const base::Clock& clock_;
  Throttle throttle_;
  base::Milliseconds patience_;
  std::size_t waiting_ = 0;
  std::list<io::Timer*> held_back_;  // by others under way, in the order in which they came
  std::shared_ptr<Users> users_;
  io::Worker worker_;
};

}  // namespace pinnace::auth
