// The operator's rules as an answer to a command.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "policy/rule.hpp"

namespace pinnace::app {

boost::json::object to_json(const policy::Rule& rule, base::Time now);
// Every rule, most specific first.
boost::json::array to_json(const policy::RuleBook& rules, base::Time now);

// Sentences.
boost::json::array to_json(const policy::Limit& limit);

// Which rules bind mail for `domain` (or a mailbox in it), and the host if one is named: {"domain", "host",
// "rules": [what binds, as above, with "binds": true, and what a more specific rule takes the place of],
// "limits": [sentences]}.
// Error: a name is none.
base::Result<boost::json::value> test_rules(const policy::RuleBook& rules, const std::string& domain,
                                            const std::string& host, base::Time now);

}  // namespace pinnace::app
