#include "auth/password_hash.hpp"

#include <argon2.h>
#include <crypt.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace pinnace::auth {
namespace {

constexpr std::string_view kArgon2id = "$argon2id$";
constexpr std::string_view kYescrypt = "$y$";
constexpr std::size_t kLongest = 512;

// A hash that asks for more would let one login stop all others.
base::Result<> check_argon2_cost(const std::string& hash) {
  constexpr unsigned kMostMemory = 1 << 20;  // KiB
  unsigned version = 0, memory = 0, passes = 0, lanes = 0;
  int end = 0;
  const int found = std::sscanf(hash.c_str(), "$argon2id$v=%9u$m=%9u,t=%9u,p=%9u$%n", &version, &memory,
                                &passes, &lanes, &end);
  const std::string_view rest = std::string_view(hash).substr(static_cast<std::size_t>(end));
  const bool parts = found == 4 && end > 0 && std::count(rest.begin(), rest.end(), '$') == 1 &&
                     !rest.starts_with('$') && !rest.ends_with('$');
  if (!parts || version != 19)
    return base::fail("auth.hash", "no Argon2id hash: $argon2id$v=19$m=,t=,p=$salt$hash");
  if (memory > kMostMemory || passes > 100 || lanes > 16)
    return base::fail("auth.hash", "the hash costs too much: at most m=1048576 (1 GiB), t=100, p=16");
  return {};
}

}  // namespace

base::Result<> check_hash(const std::string& hash) {
  const bool printable =
      std::all_of(hash.begin(), hash.end(), [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
  if (printable && hash.size() <= kLongest) {
    if (hash.starts_with(kArgon2id)) return check_argon2_cost(hash);
    const bool yescrypt = hash.starts_with(kYescrypt) && std::count(hash.begin(), hash.end(), '$') == 4 &&
                          !hash.ends_with('$') && crypt_checksalt(hash.c_str()) == CRYPT_SALT_OK;
    if (yescrypt) return {};
  }
  return base::fail("auth.hash",
                    "a hash begins with $argon2id$ or $y$ (yescrypt): make one with 'pinnace user hash'");
}

Match matches(const std::string& hash, const std::string& password) {
  if (hash.starts_with(kArgon2id)) {
    const int outcome = argon2id_verify(hash.c_str(), password.data(), password.size());
    if (outcome == ARGON2_OK) return Match::yes;
    return outcome == ARGON2_VERIFY_MISMATCH ? Match::no : Match::broken;
  }
  const auto data = std::make_unique<crypt_data>();
  const char* const made = crypt_r(password.c_str(), hash.c_str(), data.get());
  if (!made || *made == '*') return Match::broken;
  // Every octet, so that the time says nothing of where they part.
  const std::string_view got = made;
  unsigned differ = got.size() == hash.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(got.size(), hash.size()); ++i)
    differ |= static_cast<unsigned char>(got[i] ^ hash[i]);
  return differ == 0 ? Match::yes : Match::no;
}

base::Result<std::string> make_hash(const std::string& password) {
  constexpr unsigned kMemory = 19 << 10, kPasses = 2, kLanes = 1;
  constexpr std::size_t kHash = 32;
  char salt[16];
  if (::getrandom(salt, sizeof salt, 0) != sizeof salt)
    return base::fail("auth.hash", "no random salt to be had");
  std::string out(argon2_encodedlen(kPasses, kMemory, kLanes, sizeof salt, kHash, Argon2_id), '\0');
  const int made = argon2id_hash_encoded(kPasses, kMemory, kLanes, password.data(), password.size(), salt,
                                         sizeof salt, kHash, out.data(), out.size());
  if (made != ARGON2_OK)
    return base::fail("auth.hash", fmt::format("Argon2id: {}", argon2_error_message(made)));
  out.resize(out.find('\0'));
  return out;
}

}  // namespace pinnace::auth
