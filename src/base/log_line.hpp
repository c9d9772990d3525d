// An event as text, so that nothing a peer sends can forge a line or a field, whatever octets it is of.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pinnace::base {

struct Field {
  std::string_view key;
  std::string value;
};

// `refused host=mx.example.org reply="550 no"`
std::string logfmt_line(std::string_view event, std::span<const Field> fields);
// `"event":"refused","host":"mx.example.org","reply":"550 no"`: members of an object (RFC 8259). Octets that
// are no UTF-8 become the four characters \xNN.
std::string json_members(std::string_view event, std::span<const Field> fields);

// The value as it stands in a line: bare if it is plain, else quoted, and in it \xNN for what is a control
// or no UTF-8.
std::string quote_log_value(std::string_view value);

}  // namespace pinnace::base
