// A decision and the facts behind it, for programs.
#pragma once

#include <boost/json.hpp>

#include "discovery/gatherer.hpp"

namespace pinnace::app {

boost::json::object to_json(const policy::Decision& decision);
boost::json::object to_json(const dns::MailHosts& hosts);
boost::json::object to_json(const discovery::StsFound& sts);
boost::json::object to_json(const dane::HostTlsa& tlsa);
boost::json::array to_json(const std::vector<std::string>& texts);

}  // namespace pinnace::app
