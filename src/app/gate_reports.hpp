// The reports that a gate holds, as the operator's commands take them in and ask for them.
#pragma once

#include <boost/json.hpp>
#include <optional>

#include "pins/ledger.hpp"
#include "reporting/inbound.hpp"

namespace pinnace::app {

// Of reporting::Inbound::take: the same will never be taken.
bool never_taken(const base::Error& error);
void log_taken(const base::Result<reporting::Taken>& taken, const std::string& from);

// What was promised, and the keys that are served: for how long reports of a wrong pin are to be expected.
struct PinsHeld {
  std::vector<pins::Promise> promises;
  std::vector<pins::Pin> live;
};

class GateReports {
 public:
  // Both outlive it. `pins`: nothing where no ledger is kept.
  GateReports(reporting::Inbound& inbound, const base::Clock& clock,
              std::function<std::optional<PinsHeld>()> pins)
      : inbound_(inbound), clock_(clock), pins_(std::move(pins)) {}

  // "report.take" {"delivered": base64}: {"taken": true, ...}, or {"taken": false, "why"} where it never will
  // be. "report.inbound" {"since", "domain"}: the sums. Nothing for another command.
  static bool knows(std::string_view command);
  io::Task<base::Result<boost::json::value>> run(boost::json::object request);

 private:
  io::Task<base::Result<boost::json::value>> take(boost::json::object request);
  base::Result<boost::json::value> sums(const boost::json::object& request) const;

  reporting::Inbound& inbound_;
  const base::Clock& clock_;
  std::function<std::optional<PinsHeld>()> pins_;
};

}  // namespace pinnace::app
