#include "gate/backends.hpp"

#include "base/log.hpp"

namespace pinnace::gate {
namespace {

// Where none is up, clients that knock meanwhile are refused with what the last look showed.
constexpr auto kLookAgain = std::chrono::milliseconds(500);

}  // namespace

Backends::Backends(io::Loop& loop, const BackendSettings& settings)
    : loop_(loop), settings_(settings), pause_(loop), seen_(loop) {
  for (const io::Endpoint& at : settings.endpoints) all_.push_back({at, false, {}, {}});
}

void Backends::works(One& one, const smtp::Capabilities& capabilities) {
  if (!one.up && !one.why.empty()) base::log_info("backend_up", {{"backend", one.at.str()}});
  one.up = true;
  one.why.clear();
  one.capabilities = capabilities;
}

void Backends::failed(One& one, const std::string& why) {
  if (one.up || one.why.empty())
    base::log_error("backend_down", {{"backend", one.at.str()}, {"detail", why}});
  one.up = false;
  one.why = why;
}

io::Task<void> Backends::look_at(One& one) {
  std::optional<Client> nobody;
  auto opened = co_await Backend::open(loop_, settings_, one.at, nobody, settings_.hostname);
  if (!opened) {
    failed(one, opened.error().detail);
    co_return;
  }
  works(one, (*opened)->capabilities());
  const auto bye = co_await (*opened)->ask("QUIT");
  (void)bye;
}

io::Task<void> Backends::watch() {
  while (!stopping_) {
    for (One& one : all_) {
      if (!one.up && !stopping_) co_await look_at(one);
    }
    if (stopping_) co_return;
    const bool elapsed = co_await pause_.wait(settings_.check);
    (void)elapsed;
  }
}

void Backends::stop() {
  stopping_ = true;
  pause_.cancel();
}

Backends::One* Backends::next() {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    One& one = all_[turn_++ % all_.size()];
    if (one.up) return &one;
  }
  return nullptr;
}

// One client's look is the others' too.
struct Backends::Look {
  Backends& of;
  explicit Look(Backends& b) : of(b) { of.looking_ = true; }
  Look(const Look&) = delete;
  ~Look() {
    of.looking_ = false;
    of.looked_at_ = io::Steady::now();
    of.seen_.notify_all();
  }
};

io::Task<Backends::One*> Backends::choose() {
  One* found = next();
  if (found) co_return found;
  if (looking_) {
    co_await seen_.wait();
    co_return next();
  }
  if (looked_at_ && io::Steady::now() < *looked_at_ + kLookAgain) co_return nullptr;
  const Look look(*this);
  for (One& one : all_) {
    if (!one.up) co_await look_at(one);
    if (one.up) break;
  }
  co_return next();
}

// A backend that cannot be had is another's turn. So is one that wants nobody just now (421, RFC 5321 4.2.2),
// but not one that refuses this client for good.
io::Task<Backend::Opened> Backends::open(One* first, Client client, std::string client_name) {
  Backend::Refused last{"no backend is up", smtp::Reply::make(421, "4.3.2 no service now, try again later"),
                        false};
  One* one = first->up ? first : next();
  for (std::size_t tries = 0; one && tries < all_.size(); ++tries) {
    auto opened = co_await Backend::open(loop_, settings_, one->at, client, client_name);
    if (opened) {
      works(*one, (*opened)->capabilities());
      co_return opened;
    }
    last = opened.error();
    if (!last.of_the_client) failed(*one, last.detail);
    if (last.of_the_client && last.reply.permanent()) break;
    one = next();
  }
  co_return std::unexpected(last);
}

}  // namespace pinnace::gate
