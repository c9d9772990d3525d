#include "tls/handshakes.hpp"

#include <algorithm>

namespace pinnace::tls {

struct Handshakes::Turn {
  Turn(io::Loop& loop, std::deque<Turn*>& l) : timer(loop), line(l) { line.push_back(this); }
  Turn(const Turn&) = delete;
  ~Turn() { std::erase(line, this); }
  io::Timer timer;
  std::deque<Turn*>& line;
  bool come = false;
};

// One of the kMost; behind it, however its step ended, it is the next one's.
struct Handshakes::Place {
  Handshakes& of;
  explicit Place(Handshakes& h) : of(h) {}
  Place(const Place&) = delete;
  ~Place() {
    if (of.line_.empty()) {
      --of.under_way_;
      return;
    }
    of.line_.front()->come = true;
    of.line_.front()->timer.cancel();
    of.line_.pop_front();
  }
};

Handshakes::Handshakes(io::Loop& loop) : loop_(loop), threads_{Thread(loop), Thread(loop)} {}

io::Task<bool> Handshakes::take_place(base::Milliseconds patience) {
  if (under_way_ < kMost) {
    ++under_way_;
    co_return true;
  }
  Turn turn(loop_, line_);
  const bool elapsed = co_await turn.timer.wait(patience);
  co_return !elapsed || turn.come;  // both may have come at once
}

io::Task<base::Result<io::Outcome>> Handshakes::run(io::Stream& stream, std::function<io::Outcome()> step) {
  const bool has_place = co_await take_place(stream.time_left());
  if (!has_place) {
    co_return base::fail("io.timeout", "no turn in time for the TLS handshake with " + stream.peer() +
                                           ": too many others are under way");
  }
  const Place place(*this);
  Thread& thread = *std::min_element(threads_.begin(), threads_.end(),
                                     [](const Thread& a, const Thread& b) { return a.steps < b.steps; });
  const Thread::Step counted(thread);
  io::Outcome out = co_await thread.worker.run(std::move(step));
  co_return out;
}

}  // namespace pinnace::tls
