#include "auth/logins.hpp"

#include <sys/stat.h>

#include <tuple>

#include "auth/password_hash.hpp"
#include "base/log.hpp"

namespace pinnace::auth {
namespace {

// What of a file changes when it does.
using Stamp = std::tuple<ino_t, off_t, std::int64_t, std::int64_t>;

Stamp stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_size, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

}  // namespace

struct Logins::Users {
  std::string path;
  UserFile file;
  Stamp stamp;  // of what was read, whatever came of it

  base::Result<> load() {
    stamp = stamp_of(path);
    auto loaded = UserFile::load(path);
    if (!loaded) return std::unexpected(loaded.error());
    file = std::move(*loaded);
    return {};
  }

  void refresh() {
    if (stamp_of(path) == stamp) return;
    if (auto loaded = load(); !loaded) {
      base::log_error("users_not_read", {{"detail", loaded.error().detail + "; what was read before holds"}});
    } else {
      base::log_info("users_read", {{"file", path}, {"users", std::to_string(file.size())}});
    }
  }

  Verdict check(const std::string& name, const std::string& password) {
    refresh();
    const User* const user = file.find(name);
    const std::string& hash = user ? user->hash : file.decoy(name);
    Verdict out;
    if (hash.empty()) {
      out = {Verdict::Kind::bad, "no such user", {}};
      return out;
    }
    const Match match = matches(hash, password);
    if (!user) {
      out = {Verdict::Kind::bad, "no such user", {}};
    } else if (match == Match::yes) {
      out = {Verdict::Kind::good, "", user->senders};
    } else if (match == Match::no) {
      out = {Verdict::Kind::bad, "wrong password", {}};
    } else {
      out.why = "the hash could not be computed: is there memory for it?";
    }
    return out;
  }
};

Logins::Logins(io::Loop& loop, const base::Clock& clock, std::string file, ThrottleSettings throttle)
    : loop_(loop), clock_(clock), throttle_(throttle), users_(std::make_shared<Users>()), worker_(loop) {
  users_->path = std::move(file);
}

base::Result<> Logins::load() { return users_->load(); }

io::Task<void> Logins::reload() {
  std::function<bool()> job = [users = users_] {
    users->refresh();
    return true;
  };
  const bool done = co_await worker_.run(std::move(job));
  (void)done;
}

io::Task<Verdict> Logins::check(std::string client, std::string user, std::string password) {
  Verdict out;
  const auto wait = throttle_.admit(client, user, clock_.now());
  if (!wait) {
    out.why = "too many failures before";
    co_return out;
  }
  if (*wait > base::Milliseconds(0)) {
    io::Timer timer(loop_);
    const bool waited = co_await timer.wait(*wait);
    (void)waited;
  }
  if (waiting_ >= kMostWaiting) {
    out.why = "too many logins wait";
    co_return out;
  }
  std::function<Verdict()> job = [users = users_, user, secret = std::move(password)] {
    return users->check(user, secret);
  };
  ++waiting_;
  out = co_await worker_.run(std::move(job));
  --waiting_;
  if (out.kind == Verdict::Kind::good) throttle_.succeeded(client, user);
  if (out.kind == Verdict::Kind::bad) throttle_.failed(client, user, clock_.now());
  co_return out;
}

}  // namespace pinnace::auth
