// A gate's ledgers for people and programs, whether the gate runs or not.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>

#include "pins/ledger.hpp"

namespace pinnace::app {

boost::json::object ledgers_json(const std::map<std::string, pins::Ledger>& ledgers, base::Time now);
// From what ledgers_json made.
base::Result<std::map<std::string, pins::Ledger>> ledgers_from(const boost::json::value& json);
// On standard output: who may hold what, until when.
void show_ledgers(const boost::json::value& json);

}  // namespace pinnace::app
