// The file of those who may log in: a line each, "USER:HASH" or "USER:HASH:SENDERS", where SENDERS are the
// addresses they may send as, parted by commas: "ann@example.org", "@example.org" for a whole domain.
// Without them it is any. Empty lines, and lines that begin with "#", are passed over.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pinnace::auth {

struct User {
  std::string hash;
  std::vector<std::string> senders;  // empty: any
};

// May whoever is bound to `senders` use this reverse-path? The null path may be used by all: it is in
// notices that a mail program sends (RFC 3798 3).
bool may_send_as(const std::vector<std::string>& senders, std::string_view reverse_path);

class UserFile {
 public:
  // Errors: "auth.users", naming file, line and remedy: also for a file that everybody may read.
  static base::Result<UserFile> load(const std::string& path);

  const User* find(const std::string& name) const;
  // Somebody else's hash to check the password of a user against whom nobody knows, always the same for
  // one name: the time that it takes then says nothing of who is there. Empty where the file is.
  const std::string& decoy(const std::string& name) const;
  std::size_t size() const { return users_.size(); }

 private:
  base::Result<> take_line(std::string_view line);
  std::map<std::string, User, std::less<>> users_;
};

}  // namespace pinnace::auth
