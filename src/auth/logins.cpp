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

struct Counted {
  explicit Counted(std::size_t& n) : waiting(n) { ++waiting; }
  Counted(const Counted&) = delete;
  ~Counted() { --waiting; }
  std::size_t& waiting;
};

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
    : loop_(loop),
      clock_(clock),
      throttle_(throttle),
      patience_(throttle.patience),
      users_(std::make_shared<Users>()),
      worker_(loop) {
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

io::Task<std::vector<std::string>> Logins::senders_of(std::string user) {
  std::function<std::vector<std::string>()> job = [users = users_, name = std::move(user)] {
    users->refresh();
    const User* const found = users->file.find(name);
    return found ? found->senders : std::vector<std::string>();
  };
  co_return co_await worker_.run(std::move(job));
}

// When it ends, those whom it held back look again.
struct Logins::Turn {
  Logins& logins;
  std::optional<Throttle::Attempt> attempt;
  explicit Turn(Logins& l) : logins(l) {}
  Turn(const Turn&) = delete;
  bool begins(const std::string& client, const std::string& user) {
    auto begun = logins.throttle_.begin(client, user);
    if (begun) attempt.emplace(std::move(*begun));
    return begun.has_value();
  }
  ~Turn() {
    if (!attempt) return;
    attempt.reset();
    for (io::Timer* timer : logins.held_back_) timer->cancel();
  }
};

io::Task<bool> Logins::another_ends(base::Milliseconds patience) {
  struct Place {
    std::list<io::Timer*>& list;
    std::list<io::Timer*>::iterator at;
    ~Place() { list.erase(at); }
  };
  io::Timer timer(loop_);
  const Place place{held_back_, held_back_.insert(held_back_.end(), &timer)};
  const bool elapsed = co_await timer.wait(patience);
  co_return !elapsed;
}

io::Task<Verdict> Logins::check(std::string client, std::string user, std::string password) {
  Verdict out;
  const base::Time until = clock_.now() + patience_;
  Turn turn(*this);
  while (!turn.begins(client, user)) {
    const bool ended = co_await another_ends(until - clock_.now());
    if (ended) continue;
    out.why = "too many logins at once";
    co_return out;
  }
  const auto wait = throttle_.admit(client, user, clock_.now());
  if (!wait || clock_.now() + *wait > until) {
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
  const Counted counted(waiting_);
  out = co_await worker_.run(std::move(job));
  if (out.kind == Verdict::Kind::good) throttle_.succeeded(client, user);
  if (out.kind == Verdict::Kind::bad) throttle_.failed(client, user, clock_.now());
  co_return out;
}

}  // namespace pinnace::auth
