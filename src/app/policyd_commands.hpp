// What a running policyd answers to an operator's command.
#pragma once

#include <boost/json.hpp>

#include "app/policy_commands.hpp"
#include "policyd/engine.hpp"
#include "policyd/server.hpp"

namespace pinnace::app {

class PolicydCommands {
 public:
  struct Parts {
    io::Loop& loop;
    policyd::Engine& engine;
    policyd::Answers& answers;
    policyd::Prober* prober;  // null: nobody is probed
    policyd::Server& server;
    PolicyCommands& policies;
  };
  explicit PolicydCommands(Parts parts) : parts_(parts) {}

  io::Task<base::Result<boost::json::value>> run(boost::json::object request);

 private:
  using Answer = base::Result<boost::json::value>;
  io::Task<Answer> ask(boost::json::object request);
  io::Task<Answer> warm(boost::json::object request);
  Answer stats() const;

  Parts parts_;
};

// So many domains are taken by one request of `policyd.warm`.
inline constexpr std::size_t kMostWarmed = 64;

}  // namespace pinnace::app
