#include "tls/handshakes.hpp"

#include <algorithm>

namespace pinnace::tls {

struct Handshakes::Turn {
  explicit Turn(io::Loop& loop) : timer(loop) {}
  io::Timer timer;
  bool come = false;
};

Handshakes::Handshakes(io::Loop& loop) : loop_(loop), threads_{Thread(loop), Thread(loop)} {}

io::Task<base::Result<io::Outcome>> Handshakes::run(io::Stream& stream, std::function<io::Outcome()> step) {
  if (under_way_ < kMost) {
    ++under_way_;
  } else {
    Turn turn(loop_);
    line_.push_back(&turn);
    const bool elapsed = co_await turn.timer.wait(stream.time_left());
    // Both may have come at once.
    if (elapsed && !turn.come) {
      std::erase(line_, &turn);
      co_return base::fail("io.timeout", "no turn in time for the TLS handshake with " + stream.peer() +
                                             ": too many others are under way");
    }
  }
  Thread& thread = *std::min_element(threads_.begin(), threads_.end(),
                                     [](const Thread& a, const Thread& b) { return a.steps < b.steps; });
  ++thread.steps;
  io::Outcome out = co_await thread.worker.run(std::move(step));
  --thread.steps;
  if (line_.empty()) {
    --under_way_;
  } else {
    // Its place is the next one's.
    line_.front()->come = true;
    line_.front()->timer.cancel();
    line_.pop_front();
  }
  co_return out;
}

}  // namespace pinnace::tls
