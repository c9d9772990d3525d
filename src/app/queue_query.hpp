// Which messages of the queue an operator means.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "queue/message.hpp"

namespace pinnace::app {

struct QueueQuery {
  std::vector<queue::MessageId> ids;
  std::string domain;  // of a recipient that waits
  std::string sender;  // the reverse-path; "<>": the null one; "@DOMAIN": any of that domain
  std::string reason;  // a part of why a recipient waits, in any case
  base::Time arrived_before = base::Time::max();
  bool held = false;
  bool all = false;

  // From a request; ages count back from `now`. Errors: "api.command".
  static base::Result<QueueQuery> parse(const boost::json::object& request, base::Time now);
  bool selects() const;     // says something; else it would mean all by accident
  bool everything() const;  // and nothing narrows it down
  bool matches(const queue::Message& message) const;
};

}  // namespace pinnace::app
