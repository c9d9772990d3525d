#include "app/postfix_version.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>

extern char** environ;

namespace pinnace::app {
namespace {

// What the child writes before it closes its output, a line at most.
std::string read_line(int fd) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::string out;
  while (out.size() < 100) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd ready{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) return {};
    char buffer[100];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0) return {};
    if (n == 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out.substr(0, out.find('\n'));
}

}  // namespace

std::string postfix_version() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  char name[] = "postconf", head[] = "-h", what[] = "mail_version";
  char* const arguments[] = {name, head, what, nullptr};
  pid_t child = 0;
  int failed = 1;
  for (const char* place : {"/usr/sbin/postconf", "/usr/local/sbin/postconf"}) {
    if (failed != 0 && ::access(place, X_OK) == 0)
      failed = ::posix_spawn(&child, place, &actions, nullptr, arguments, environ);
  }
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string out;
  if (failed == 0) {
    out = read_line(ends[0]);
    // It has said what it had to say, or hangs.
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  ::close(ends[0]);
  return out;
}

bool takes_tls_reports(std::string_view version) {
  int major = 0, minor = 0;
  const char* const end = version.data() + version.size();
  const auto first = std::from_chars(version.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return false;
  return major > 3 || (major == 3 && minor >= 10);
}

}  // namespace pinnace::app
