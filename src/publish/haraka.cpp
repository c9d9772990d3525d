#include "publish/haraka.hpp"

#include "publish/javascript.hpp"

namespace pinnace::publish {
namespace {

constexpr std::string_view kAbout =
    R"('use strict'

// Pins of this server's keys in its EHLO reply. As plugins/pinnace_pins.js of a Haraka whose config/plugins
// names pinnace_pins behind tls. To be made anew when a key changes: before the new one is used.
)";

constexpr std::string_view kHook =
    R"(
exports.hook_capabilities = function (next, connection) {
  // What is said before TLS anybody on the way could have said.
  const in_tls = connection.tls ? connection.tls.enabled : connection.using_tls
  if (in_tls) connection.capabilities.push(...lines)
  next()
}
)";

}  // namespace

std::string haraka_plugin(std::span<const std::string> ehlo_lines) {
  return std::string(kAbout) + js_list("lines", ehlo_lines) + std::string(kHook);
}

}  // namespace pinnace::publish
