// The user that a service runs as. It starts as root only for what needs root: ports below 1024, and keys
// that nobody else may read.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.hpp"

namespace pinnace::process {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Error "process.user": there is none of that name.
base::Result<User> find_user(const std::string& name);

// For good: user, group and no other group, no capability, and none to be had again. Before other threads
// start. Whoever is that user already gives up capabilities only. Error "process.user".
base::Result<> become(const User& user);

// Of whoever is not root and was given one for the start, such as CAP_NET_BIND_SERVICE.
base::Result<> give_up_capabilities();

// That this process may use the folder and all in it; makes it (mode 0700) where there is none. Error
// "process.folder", with the command that helps.
base::Result<> check_folder(const std::string& path);

// As root, for another user: makes the folder, his, where there is none. What is there stays as it is.
base::Result<> make_folder(const std::string& path, const User& owner);

}  // namespace pinnace::process
