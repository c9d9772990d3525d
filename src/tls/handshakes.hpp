// Threads for the handshakes of a listener. A signature with an RSA key of 4096 bits takes 4 ms (2048: 0.3
// ms, P-256: 0.02 ms), and as long the loop would serve nobody else.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "io/stream.hpp"
#include "io/worker.hpp"

namespace pinnace::tls {

class Handshakes {
 public:
  // As many steps are with the threads at once; who comes later waits in line.
  static constexpr std::size_t kMost = 16;

  explicit Handshakes(io::Loop& loop);

  // What comes of `step`, which runs on one of the threads, and owns what it uses (io::Worker). Error
  // "io.timeout": its turn did not come in the stream's own time.
  io::Task<base::Result<io::Outcome>> run(io::Stream& stream, std::function<io::Outcome()> step);

 private:
  struct Thread {
    explicit Thread(io::Loop& loop) : worker(loop) {}
    io::Worker worker;
    std::size_t steps = 0;  // that it has

    struct Step {
      explicit Step(Thread& t) : thread(t) { ++thread.steps; }
      Step(const Step&) = delete;
      ~Step() { --thread.steps; }
      Thread& thread;
    };
  };
  struct Turn;
  struct Place;
  io::Task<bool> take_place(base::Milliseconds patience);  // false: none was free in time

  io::Loop& loop_;
  std::array<Thread, 2> threads_;
  std::size_t under_way_ = 0;
  std::deque<Turn*> line_;
};

}  // namespace pinnace::tls
