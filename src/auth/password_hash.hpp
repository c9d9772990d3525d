// Passwords as they are kept: hashes that cost memory and time to compute, Argon2id (RFC 9106,
// "$argon2id$...") and yescrypt ("$y$..."). All of this blocks: some ten milliseconds for one password.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::auth {

// Is it a hash that matches() can take, at a cost that it may have? Error: "auth.hash".
base::Result<> check_hash(const std::string& hash);

enum class Match { yes, no, broken };  // broken: no memory; nobody can know
Match matches(const std::string& hash, const std::string& password);

// An Argon2id hash with a fresh salt, at what OWASP recommends: 19 MiB, two passes. Error: "auth.hash".
base::Result<std::string> make_hash(const std::string& password);

}  // namespace pinnace::auth
