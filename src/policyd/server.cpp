#include "policyd/server.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <charconv>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "base/log.hpp"
#include "io/stream.hpp"
#include "policyd/connection.hpp"

namespace pinnace::policyd {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr auto kRest = std::chrono::minutes(1);  // between ticks without connections
constexpr int kGiveWay = 5;  // nice(1): a third of the CPU where there is too little for all
constexpr auto kFarewell = std::chrono::seconds(1);

base::Result<> set_mode(const io::Endpoint& at, const std::string& mode) {
  unsigned value = 0;
  const auto [end, code] = std::from_chars(mode.data(), mode.data() + mode.size(), value, 8);
  if (code != std::errc{} || end != mode.data() + mode.size() || value > 0777) {
    return base::fail("policyd.socket_mode",
                      fmt::format("'{}' is no mode of a socket: write it as chmod takes it, 0660", mode));
  }
  if (::chmod(at.unix_path.c_str(), value) == 0) return {};
  return base::fail("io.listen",
                    fmt::format("cannot set the mode of {}: {}", at.str(), std::strerror(errno)));
}

}  // namespace

struct Server::Impl {
  Impl(ServerSettings s, const base::Clock& clock, Answers& answers, Ask a)
      : settings(std::move(s)), ask(std::move(a)), desk{settings, clock, answers, {}, {}} {
    desk.ask = [this](std::uint64_t connection, std::uint64_t request, Profile profile, std::string domain) {
      ask(profile, std::move(domain), tell_of(connection, request));
    };
  }

  // How other threads reach the loop: answers may come when the server is gone.
  struct Door {
    std::mutex mutex;
    Impl* server = nullptr;
  };
  Tell tell_of(std::uint64_t connection, std::uint64_t request);
  void told(std::uint64_t connection, std::uint64_t request, std::string reply);

  base::Result<> bind();
  void run();
  void take(io::Stream stream);
  io::Task<void> serve(std::uint64_t number);
  io::Task<void> tick();
  void begin_stop();

  ServerSettings settings;
  Ask ask;
  Desk desk;
  std::shared_ptr<Door> door = std::make_shared<Door>();
  io::Loop loop;
  io::Timer ticker{loop};
  std::vector<std::unique_ptr<io::Listener>> listeners;
  std::vector<io::Endpoint> listening;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::uint64_t next = 0;
  std::atomic<std::uint64_t> open{0};
  bool full = false;  // and the log says so
  bool stopping = false;
  io::Steady::time_point stop_by{};
  std::thread thread;
};

Server::Tell Server::Impl::tell_of(std::uint64_t connection, std::uint64_t request) {
  return [to = door, connection, request](std::string reply) {
    const std::lock_guard lock(to->mutex);
    if (!to->server) return;
    to->server->loop.post([server = to->server, connection, request, text = std::move(reply)]() mutable {
      server->told(connection, request, std::move(text));
    });
  };
}

void Server::Impl::told(std::uint64_t connection, std::uint64_t request, std::string reply) {
  const auto found = connections.find(connection);
  if (found != connections.end()) found->second->told(request, std::move(reply));
}

base::Result<> Server::Impl::bind() {
  for (const io::Endpoint& at : settings.listen) {
    auto listener = io::Listener::bind(loop, at);
    if (!listener) return std::unexpected(listener.error());
    listeners.push_back(std::make_unique<io::Listener>(std::move(*listener)));
    listening.push_back(listeners.back()->local());
    if (at.unix_path.empty()) continue;
    if (auto set = set_mode(at, settings.socket_mode); !set) return set;
  }
  return {};
}

void Server::Impl::run() {
  loop.spawn(tick());
  for (const auto& listener : listeners) {
    loop.spawn(listener->each([this](io::Stream stream) { take(std::move(stream)); }));
  }
  for (bool ended = false; !ended;) {
    try {
      loop.run();
      ended = true;
    } catch (const std::exception& e) {
      base::log_error("socketmap_failed", {{"what", e.what()}});
    }
  }
  loop.drop_tasks();
  connections.clear();
}

void Server::Impl::take(io::Stream stream) {
  if (stopping) return;
  if (connections.size() >= settings.max_connections) {
    desk.counts.refused.fetch_add(1, std::memory_order_relaxed);
    if (!std::exchange(full, true)) {
      base::log_warning("socketmap_full",
                        {{"detail", fmt::format("there are {} connections, as many as max_connections allows",
                                                connections.size())}});
    }
    return;
  }
  const std::uint64_t number = next++;
  connections.emplace(number, std::make_unique<Connection>(desk, loop, std::move(stream), number));
  if (connections.size() == 1) ticker.cancel();
  open.store(connections.size(), std::memory_order_relaxed);
  loop.spawn(serve(number));
}

io::Task<void> Server::Impl::serve(std::uint64_t number) {
  Connection& connection = *connections.at(number);
  try {
    co_await connection.run();
  } catch (const std::exception& e) {
    base::log_error("socketmap_failed", {{"what", e.what()}});
  }
  connections.erase(number);
  full = false;
  open.store(connections.size(), std::memory_order_relaxed);
}

io::Task<void> Server::Impl::tick() {
  for (;;) {
    base::Milliseconds pause = kTick;
    if (connections.empty() && !stopping) pause = kRest;
    const bool elapsed = co_await ticker.wait(pause);
    (void)elapsed;
    const auto now = io::Steady::now();
    for (const auto& [number, connection] : connections) connection->check_time(now);
    if (stopping && (connections.empty() || now >= stop_by)) break;
  }
  loop.stop();
}

void Server::Impl::begin_stop() {
  if (std::exchange(stopping, true)) return;
  stop_by = io::Steady::now() + kFarewell;
  for (const auto& listener : listeners) listener->close();
  for (const auto& [number, connection] : connections) connection->finish();
  ticker.cancel();
}

Server::Server(ServerSettings settings, const base::Clock& clock, Answers& answers, Ask ask)
    : impl_(std::make_unique<Impl>(std::move(settings), clock, answers, std::move(ask))) {}

Server::~Server() {
  stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  const std::lock_guard lock(impl_->door->mutex);
  impl_->door->server = nullptr;
}

base::Result<> Server::start() {
  if (auto bound = impl_->bind(); !bound) {
    impl_->listeners.clear();
    return bound;
  }
  impl_->door->server = impl_.get();
  impl_->thread = std::thread([this] { impl_->run(); });
  // Of this thread alone (setpriority(2), NOTES). Where it may not, answers come all the same.
  if (::getpriority(PRIO_PROCESS, 0) < kGiveWay) ::setpriority(PRIO_PROCESS, 0, kGiveWay);
  return {};
}

const std::vector<io::Endpoint>& Server::listening() const { return impl_->listening; }

void Server::stop() {
  impl_->loop.post([this] { impl_->begin_stop(); });
}

ServerStats Server::stats() const {
  const Desk::Counts& c = impl_->desk.counts;
  const auto read = [](const std::atomic<std::uint64_t>& n) { return n.load(std::memory_order_relaxed); };
  return {read(c.requests),  read(c.ready),   read(c.looked_up),
          read(c.timed_out), read(c.refused), read(impl_->open)};
}

}  // namespace pinnace::policyd
