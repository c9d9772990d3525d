// Says whether a user's password is right. Passwords are checked one at a time on a thread of their own;
// a bounded number waits. The file of users is read again when it has changed.
#pragma once

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

 private:
  struct Users;  // the worker's

  io::Loop& loop_;
  const base::Clock& clock_;
  Throttle throttle_;
  std::size_t waiting_ = 0;
  std::shared_ptr<Users> users_;
  io::Worker worker_;
};

}  // namespace pinnace::auth
