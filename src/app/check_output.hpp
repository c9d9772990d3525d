// What `pinnace check` found, as a table for people and as JSON for programs (docs/check.md).
#pragma once

#include <boost/json.hpp>
#include <span>
#include <string>

#include "check/report.hpp"

namespace pinnace::app {

struct TableStyle {
  bool colour = false;
  std::size_t width = 0;  // columns; 0: lines are not broken
};

// Of standard output: whether a terminal is there, which wants colour.
TableStyle terminal_style(bool no_color);

// Whatever a peer said cannot steer the terminal.
std::string check_table(std::span<const check::DomainReport> reports, const TableStyle& style);

boost::json::object check_json(const check::DomainFacts& facts, const check::DomainReport& report);

}  // namespace pinnace::app
