// Texts in programs for servers that are extended in JavaScript.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pinnace::publish {

// In quotes. Nothing in it can end the string: what is not printable ASCII is escaped.
std::string js_string(std::string_view text);
// const NAME = [ a line each ]
std::string js_list(std::string_view name, std::span<const std::string> texts);

}  // namespace pinnace::publish
