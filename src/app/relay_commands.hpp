// What a running relay answers to an operator's command.
#pragma once

#include <boost/json.hpp>

#include "app/relay_queue.hpp"
#include "app/rules_reload.hpp"
#include "discovery/gatherer.hpp"

namespace pinnace::app {

class RelayCommands {
 public:
  RelayCommands(queue::Queue& queue, delivery::Deliverer& deliverer, discovery::PinStore& pins,
                discovery::Gatherer& gatherer, discovery::StsPolicies& sts, RulesReload& rules,
                const base::Clock& clock)
      : queue_(queue, deliverer, clock),
        deliverer_(deliverer),
        pins_(pins),
        gatherer_(gatherer),
        sts_(sts),
        rules_(rules),
        clock_(clock) {}

  io::Task<base::Result<boost::json::value>> run(boost::json::object request);

 private:
  using Answer = base::Result<boost::json::value>;
  Answer pins_list(const std::string& name) const;
  io::Task<Answer> pins_forget(boost::json::object request);
  io::Task<Answer> pins_set(boost::json::object request);
  io::Task<Answer> explain_policy(boost::json::object request);
  Answer reload_rules();
  Answer sts_list() const;
  io::Task<Answer> sts_forget(boost::json::object request);

  RelayQueue queue_;
  delivery::Deliverer& deliverer_;  // what an operator changes of policies ends the pauses
  discovery::PinStore& pins_;
  discovery::Gatherer& gatherer_;
  discovery::StsPolicies& sts_;
  RulesReload& rules_;
  const base::Clock& clock_;
};

}  // namespace pinnace::app
