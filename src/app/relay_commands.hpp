// What a running relay answers to an operator's command.
#pragma once

#include <boost/json.hpp>

#include "app/policy_commands.hpp"
#include "app/relay_queue.hpp"

namespace pinnace::app {

class RelayCommands {
 public:
  RelayCommands(queue::Queue& queue, delivery::Deliverer& deliverer, PolicyCommands& policies,
                const base::Clock& clock)
      : queue_(queue, deliverer, clock), policies_(policies) {}

  io::Task<base::Result<boost::json::value>> run(boost::json::object request);

 private:
  RelayQueue queue_;
  PolicyCommands& policies_;
};

}  // namespace pinnace::app
