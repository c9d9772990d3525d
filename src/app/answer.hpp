// How the commands that need no network answer: for programs, and what of hostile input people may see.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

namespace pinnace::app {

// One value on one line of standard output. RFC 8259 8.1: JSON is UTF-8, whatever was in the input.
void print_json(boost::json::value out);

// For a terminal: U+FFFD for what is not UTF-8, '?' for characters that would steer it.
std::string printable(std::string_view text);

}  // namespace pinnace::app
