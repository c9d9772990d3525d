// The same pins by Haraka instead of the gate.
#pragma once

#include <span>
#include <string>

namespace pinnace::publish {

// A plugin, plugins/pinnace_pins.js, that adds these lines to the EHLO reply inside TLS and never before it
// (pinning-protocol 1.1).
std::string haraka_plugin(std::span<const std::string> ehlo_lines);

}  // namespace pinnace::publish
