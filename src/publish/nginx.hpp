// The same pins by nginx instead of the gate.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pinnace::publish {

struct NginxServer {
  std::string hostname;
  std::vector<std::string> listen;                                // "192.0.2.1:25"
  std::vector<std::string> listen_tls;                            // TLS at once
  std::vector<std::pair<std::string, std::string>> certificates;  // files, with their keys'
  std::string backend;                                            // "127.0.0.1:10025", "unix:/path"
  bool proxy_protocol = false;          // so the backend learns the client's address
  std::vector<std::string> ehlo_lines;  // PKP and STSEC
};

struct NginxFiles {
  std::string configuration;  // a whole nginx.conf
  std::string script;         // pinnace_pins.js, beside it
};

// nginx's mail proxy says its `smtp_capabilities` in clear too, wherever it offers STARTTLS (also with
// `starttls only`), and pins must not be said in clear (pinning-protocol 1.1). So the stream module takes the
// sessions, and a script the few commands before TLS. Error "publish.nginx": a text that no quoted string of
// nginx can hold.
base::Result<NginxFiles> nginx_files(const NginxServer& server);

}  // namespace pinnace::publish
