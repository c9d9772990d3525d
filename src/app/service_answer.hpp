// Asks a running service and shows a person what it answered.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "app/answer.hpp"
#include "app/commands.hpp"
#include "base/error.hpp"

namespace pinnace::app {

using Show = std::function<void(const boost::json::value&)>;

// Prints the answer with `show`, or as JSON where that is asked for; 1 where the service answers with an
// error.
int ask_and_show(const Service& service, const boost::json::object& request, const Show& show);
int show_answer(const base::Result<boost::json::value>& answer, bool as_json, const Show& show);

// A field as text; "-" where there is none.
std::string str(const boost::json::value& object, std::string_view key);
// What a peer said must not steer the terminal.
inline std::string tamed(const boost::json::value& object, std::string_view key) {
  return printable(str(object, key));
}

}  // namespace pinnace::app
