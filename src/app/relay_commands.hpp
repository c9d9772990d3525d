// What a running relay answers to an operator's command.
#pragma once

#include <boost/json.hpp>

#include "app/rules_reload.hpp"
#include "discovery/gatherer.hpp"
#include "queue/queue.hpp"

namespace pinnace::app {

class RelayCommands {
 public:
  RelayCommands(queue::Queue& queue, discovery::PinStore& pins, discovery::Gatherer& gatherer,
                discovery::StsPolicies& sts, RulesReload& rules, const base::Clock& clock)
      : queue_(queue), pins_(pins), gatherer_(gatherer), sts_(sts), rules_(rules), clock_(clock) {}

  io::Task<base::Result<boost::json::value>> run(boost::json::object request);

 private:
  using Answer = base::Result<boost::json::value>;
  Answer queue_list(const boost::json::object& request) const;
  Answer queue_show(const boost::json::object& request) const;
  Answer queue_retry(const boost::json::object& request);
  io::Task<Answer> queue_remove(boost::json::object request);
  Answer pins_list(const std::string& name) const;
  io::Task<Answer> pins_forget(boost::json::object request);
  io::Task<Answer> pins_set(boost::json::object request);
  io::Task<Answer> explain_policy(boost::json::object request);
  Answer reload_rules();
  Answer sts_list() const;
  io::Task<Answer> sts_forget(boost::json::object request);

  queue::Queue& queue_;
  discovery::PinStore& pins_;
  discovery::Gatherer& gatherer_;
  discovery::StsPolicies& sts_;
  RulesReload& rules_;
  const base::Clock& clock_;
};

}  // namespace pinnace::app
