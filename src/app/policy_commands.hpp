// What a running service answers to an operator's command about policies: what is noted of receivers, which
// MTA-STS policies are held, which rules bind.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "app/rules_reload.hpp"
#include "discovery/gatherer.hpp"
#include "policyd/prober.hpp"
#include "postfix/telling.hpp"

namespace pinnace::app {

class PolicyCommands {
 public:
  struct Parts {
    io::Loop& loop;
    const base::Clock& clock;
    discovery::PinStore& pins;
    discovery::Gatherer& gatherer;
    discovery::StsPolicies& sts;
    RulesReload& rules;
    std::uint16_t port;                                    // of MX hosts
    policyd::Prober* prober;                               // null: there is none
    postfix::Options postfix;                              // for what Postfix is told
    std::function<void(const std::string& name)> changed;  // the operator changed what is known of a name
  };
  explicit PolicyCommands(Parts parts) : parts_(std::move(parts)) {}

  using Answer = base::Result<boost::json::value>;
  static bool knows(std::string_view command);
  io::Task<Answer> run(boost::json::object request);

 private:
  Answer pins_list(const std::string& name) const;
  io::Task<Answer> pins_forget(boost::json::object request);
  io::Task<Answer> pins_set(boost::json::object request);
  io::Task<Answer> explain_policy(boost::json::object request);
  Answer reload_rules();
  Answer sts_list() const;
  io::Task<Answer> sts_forget(boost::json::object request);

  Parts parts_;
};

}  // namespace pinnace::app
