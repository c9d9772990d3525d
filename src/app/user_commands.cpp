#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/commands.hpp"
#include "auth/password_hash.hpp"
#include "smtp/login.hpp"

namespace pinnace::app {
namespace {

// A terminal does not show what is typed meanwhile.
class NoEcho {
 public:
  NoEcho() : changed_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!changed_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    std::fputs("Password: ", stderr);
  }
  NoEcho(const NoEcho&) = delete;
  ~NoEcho() {
    if (!changed_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::fputs("\n", stderr);
  }

 private:
  termios before_{};
  bool changed_;
};

int complain(const std::string& what) {
  std::fprintf(stderr, "pinnace: %s\n", what.c_str());
  return 2;
}

}  // namespace

int user_hash(const std::string& name) {
  if (name.empty() || name.size() > smtp::Login::kMost || name.find(':') != std::string::npos ||
      name.starts_with('#'))
    return complain("a user's name has 1 to 255 octets, no ':', and does not begin with '#'");
  std::string password;
  {
    const NoEcho silent;
    std::getline(std::cin, password);
  }
  if (password.empty() || password.size() > smtp::Login::kMost)
    return complain("a password of 1 to 255 octets is expected as the first line of standard input");
  const auto hash = auth::make_hash(password);
  if (!hash) return complain(hash.error().detail);
  std::printf("%s:%s\n", name.c_str(), hash->c_str());
  return 0;
}

}  // namespace pinnace::app
