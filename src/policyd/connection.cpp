#include "policyd/connection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "socketmap/destination.hpp"
#include "socketmap/netstring.hpp"
#include "socketmap/request.hpp"

namespace pinnace::policyd {
namespace {

// A client that has more open is not read from until some are answered, or taken.
constexpr std::size_t kMostWaiting = 64;
constexpr std::size_t kMostUnsent = 256 << 10;
// A buffer that was larger once is given back.
constexpr std::size_t kSmall = 4096;

}  // namespace

Connection::Connection(Desk& desk, io::Loop& loop, io::Stream stream, std::uint64_t number)
    : desk_(desk), stream_(std::move(stream)), changed_(loop), number_(number) {}

io::Task<void> Connection::run() {
  io::Socket& socket = stream_.socket();
  for (;;) {
    serve();
    if (over_) co_return;
    if (!out_.empty()) {
      co_await socket.writable();
    } else if (takes_more()) {
      co_await socket.readable();
    } else {
      co_await changed_.wait();
    }
  }
}

bool Connection::takes_more() const {
  return !finishing_ && !over_ && waiting_.size() < kMostWaiting && out_.size() < kMostUnsent;
}

// All that can be done without waiting.
void Connection::serve() {
  send_told();
  for (;;) {
    write();
    if (over_ || !out_.empty() || !takes_more()) break;
    std::string_view came;
    if (!more_) {
      came = read();
      if (came.empty()) break;
    }
    answer(came);
  }
  if (finishing_ && waiting_.empty() && out_.empty()) over_ = true;
}

std::string_view Connection::read() {
  const io::Outcome got = stream_.socket().recv(desk_.input.data(), desk_.input.size());
  switch (got.state) {
    case io::Outcome::State::done:
      return {desk_.input.data(), got.bytes};
    case io::Outcome::State::closed:
      finishing_ = true;  // what it asked before is answered
      return {};
    case io::Outcome::State::failed:
      over_ = true;
      return {};
    default:
      return {};
  }
}

void Connection::answer(std::string_view came) {
  const bool kept = !left_.empty();
  if (kept) came = left_.append(came);
  const std::size_t taken = take_requests(came);
  if (finishing_) {
    left_.clear();
  } else if (kept) {
    left_.erase(0, taken);
  } else if (taken < came.size()) {
    left_ = came.substr(taken);
  }
  if (left_.empty() && left_.capacity() > kSmall) left_ = {};
}

std::size_t Connection::take_requests(std::string_view input) {
  const base::Time now = desk_.clock.now();
  std::size_t taken = 0;
  more_ = true;
  while (takes_more()) {
    const auto next = socketmap::read_netstring(input.substr(taken), desk_.settings.max_request);
    if (next.state == socketmap::Netstring::State::broken) refuse(next.problem);
    if (next.state != socketmap::Netstring::State::whole) {
      more_ = false;
      break;
    }
    taken += next.size;
    answer_one(next.payload, now);
  }
  if (taken > 0) active_ = io::Steady::now();
  return taken;
}

void Connection::answer_one(std::string_view payload, base::Time now) {
  desk_.counts.requests.fetch_add(1, std::memory_order_relaxed);
  const auto request = socketmap::Request::parse(payload);
  if (!request) return reply(socketmap::permanent(request.error().detail));
  const auto& maps = desk_.settings.maps;
  const auto map = std::find(maps.begin(), maps.end(), request->map);
  // Not "there is no policy": whoever names the map wrongly must hear of it.
  if (map == maps.end()) {
    return reply(socketmap::permanent(
        fmt::format("there is no map {}: see the profiles of [policyd]", request->map.substr(0, 80))));
  }
  const auto profile = static_cast<Profile>(map - maps.begin());
  // Answers lie under canonical names alone: a name that is found is one.
  desk_.reply.clear();
  if (!desk_.answers.find(profile, request->key, now, desk_.reply)) {
    return look_up(profile, request->key, now);
  }
  desk_.counts.ready.fetch_add(1, std::memory_order_relaxed);
  reply(desk_.reply);
}

void Connection::look_up(Profile profile, std::string_view name, base::Time now) {
  const auto destination = socketmap::Destination::parse(name);
  if (!destination) return reply(socketmap::reply_to(destination.error()));
  std::string domain = destination->key();
  if (domain != name && desk_.answers.find(profile, domain, now, desk_.reply)) {
    desk_.counts.ready.fetch_add(1, std::memory_order_relaxed);
    return reply(desk_.reply);
  }
  desk_.counts.looked_up.fetch_add(1, std::memory_order_relaxed);
  waiting_.push_back({io::Steady::now() + desk_.settings.answer_timeout, false, {}});
  desk_.ask(number_, first_ + waiting_.size() - 1, profile, std::move(domain));
}

void Connection::reply(std::string_view text) {
  if (waiting_.empty()) {
    socketmap::append_reply(out_, text, desk_.settings.max_request);
  } else {
    waiting_.push_back({io::Steady::time_point::max(), true, std::string(text)});
  }
}

void Connection::told(std::uint64_t request, std::string text) {
  if (request < first_ || request - first_ >= waiting_.size()) return;  // answered by its timeout
  Waiting& waiting = waiting_[request - first_];
  if (waiting.told) return;
  waiting.told = true;
  waiting.reply = std::move(text);
  wake();
}

void Connection::send_told() {
  while (!waiting_.empty() && waiting_.front().told) {
    socketmap::append_reply(out_, waiting_.front().reply, desk_.settings.max_request);
    waiting_.pop_front();
    ++first_;
    active_ = io::Steady::now();
  }
}

void Connection::write() {
  while (sent_ < out_.size()) {
    const io::Outcome put = stream_.socket().send(out_.data() + sent_, out_.size() - sent_);
    if (put.state == io::Outcome::State::want_write) return;
    if (put.state != io::Outcome::State::done) {
      over_ = true;
      return;
    }
    sent_ += put.bytes;
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kSmall) out_.shrink_to_fit();
}

// Where the next request would begin is not known any more.
void Connection::refuse(std::string_view why) {
  desk_.counts.refused.fetch_add(1, std::memory_order_relaxed);
  base::log_warning("socketmap_refused", {{"client", stream_.peer()}, {"detail", std::string(why)}});
  finish();
}

void Connection::finish() {
  finishing_ = true;
  wake();
}

void Connection::check_time(io::Steady::time_point now) {
  for (Waiting& waiting : waiting_) {
    if (waiting.until > now) {
      if (waiting.told) continue;
      break;  // those behind it have more time
    }
    if (waiting.told) continue;
    desk_.counts.timed_out.fetch_add(1, std::memory_order_relaxed);
    waiting.told = true;
    waiting.reply = socketmap::timed_out("the policy is not known yet: it is being looked up");
    wake();
  }
  if (over_ || !waiting_.empty() || now - active_ < desk_.settings.idle_timeout) return;
  if (!left_.empty() || !out_.empty()) {
    base::log_info(
        "socketmap_timeout",
        {{"client", stream_.peer()}, {"detail", "a request was not sent, or an answer not read, in time"}});
  }
  over_ = true;
  wake();
}

void Connection::wake() {
  stream_.socket().resume();
  changed_.notify_all();
}

}  // namespace pinnace::policyd
