// What a delivery to a recipient would be held to, looked up now: the reasoning of `pinnace explain`.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "discovery/gatherer.hpp"
#include "policyd/prober.hpp"
#include "postfix/telling.hpp"

namespace pinnace::app {

struct Question {
  std::string recipient;  // a mailbox, or a domain
  policy::Wish wish = policy::Wish::none;
};
base::Result<Question> read_question(const std::string& recipient, bool requiretls, bool tls_required_no);

struct Means {
  io::Loop& loop;
  const base::Clock& clock;
  discovery::Gatherer& gatherer;
  std::uint16_t port;       // of MX hosts
  policyd::Prober* prober;  // null: what probes saw of hosts is not known
};

// {"recipient", "domain", "wish", "route", "mx", "sts", "hosts": [{"host", "addresses", "dnssec", "tlsa",
// "decision", "usable", "problem"}], "usable", "verdict", "postfix": {"told", "reason", "notes"}}. Errors are
// the store's: what cannot be looked up is part of the answer.
io::Task<base::Result<boost::json::value>> explain(Means means, Question question, postfix::Options options);

}  // namespace pinnace::app
