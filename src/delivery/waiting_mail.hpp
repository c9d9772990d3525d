// Mail that waits together and is not tried meanwhile: whoever is to be told of its delay is told, and what
// is past its lifetime is given up, for the reason for which all of it waits.
#pragma once

#include <optional>
#include <string>

#include "delivery/attempts.hpp"
#include "delivery/destinations.hpp"
#include "delivery/limits.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

class WaitingMail {
 public:
  WaitingMail(const Tools& tools, queue::Queue& queue, Destinations& destinations, Limits& limits,
              Attempts& attempts)
      : tools_(tools), queue_(queue), destinations_(destinations), limits_(limits), attempts_(attempts) {}

  void stop() { stopping_ = true; }
  // Why nothing of a destination's mail is tried now.
  std::optional<WaitingTogether> held_back(const std::string& destination);
  // Gives up and tells what is due.
  io::Task<void> look(std::string destination);
  // When a destination that waits is looked at for mail that is past its lifetime, and for notices of delay.
  void look_later(const std::string& destination, std::optional<base::Time> next_notice);

 private:
  io::Task<void> expire(std::string destination);
  io::Task<bool> give_up(queue::Work work, bool& looked);
  io::Task<void> tell_of_delay(std::string destination);

  const Tools& tools_;
  queue::Queue& queue_;
  Destinations& destinations_;
  Limits& limits_;
  Attempts& attempts_;
  bool stopping_ = false;
};

}  // namespace pinnace::delivery
