// What a delivery to a recipient would be held to, looked up now: the reasoning of `pinnace explain`.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "discovery/gatherer.hpp"

namespace pinnace::app {

struct Question {
  std::string recipient;  // a mailbox, or a domain
  policy::Wish wish = policy::Wish::none;
};
base::Result<Question> read_question(const std::string& recipient, bool requiretls, bool tls_required_no);

// {"recipient", "domain", "wish", "route", "mx", "sts", "hosts": [{"host", "addresses", "dnssec", "tlsa",
// "decision", "usable", "problem"}], "usable", "verdict"}. Errors are the store's: what cannot be looked up
// is part of the answer.
io::Task<base::Result<boost::json::value>> explain(discovery::Gatherer& gatherer, Question question);

}  // namespace pinnace::app
