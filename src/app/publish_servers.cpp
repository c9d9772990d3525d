// `pinnace publish nginx` and `haraka`: other servers that show the same pins.
#include <fmt/format.h>

#include "app/gate_hosts.hpp"
#include "app/publish_files.hpp"
#include "app/publish_parts.hpp"
#include "publish/haraka.hpp"
#include "publish/nginx.hpp"

namespace pinnace::app {
namespace {

struct Gate {
  GateConfig config;
  std::vector<std::string> lines;  // of the EHLO reply
};

// Only with what a gate would show itself (pinning-protocol 7).
base::Result<Gate> read_gate(const PublishRequest& request) {
  auto config = load_gate_config(request.config);
  if (!config) return std::unexpected(config.error());
  const auto face = load_face(*config);
  if (!face) return std::unexpected(face.error());
  if (face->names().size() > 1) {
    fmt::print(stderr, "only {}, the first host: others need a server of their own\n",
               face->names().front().host.hostname);
  }
  std::vector<std::string> lines = face->names().front().lines;
  return Gate{std::move(*config), std::move(lines)};
}

struct File {
  std::string name, text;
};

int give(const PublishRequest& request, const std::vector<File>& files) {
  for (const File& file : files) {
    if (request.out.empty()) {
      if (files.size() > 1) fmt::print("{}# {}\n", &file == files.data() ? "" : "\n", file.name);
      fmt::print("{}", file.text);
      continue;
    }
    const std::string path = request.out + "/" + file.name;
    if (auto done = write_public_file(path, file.text); !done) return own_error(done.error().detail);
    fmt::print("{}\n", path);
  }
  return std::fflush(stdout) == 0 ? 0 : own_error("standard output cannot be written");
}

}  // namespace

int publish_nginx(const PublishRequest& request) {
  const auto gate = read_gate(request);
  if (!gate) return own_error(gate.error().detail);
  const gate::Settings& settings = gate->config.gate;
  // A backend that takes its own machine for the client may let everybody relay.
  if (settings.backend.client_address == gate::ClientAddress::xclient)
    return own_error(
        "gate.client_address: nginx names the client by the PROXY protocol only: have the server behind read "
        "it, and say \"proxy-v2\"");
  if (settings.backend.endpoints.size() != 1 || settings.backend.tls != gate::BackendTls::none ||
      settings.backend.protocol != gate::BackendProtocol::smtp)
    return own_error(
        "gate.backend: the configuration of nginx is for one backend, which speaks SMTP without TLS");
  publish::NginxServer server;
  server.hostname = settings.hostname;
  for (const io::Endpoint& endpoint : settings.listen) server.listen.push_back(endpoint.str());
  for (const io::Endpoint& endpoint : settings.listen_tls) server.listen_tls.push_back(endpoint.str());
  const GateHost& host = gate->config.hosts.front();
  for (std::size_t i = 0; i < host.certificates.size(); ++i)
    server.certificates.emplace_back(host.certificates[i], host.keys[i]);
  server.backend = settings.backend.endpoints.front().str();
  server.proxy_protocol = settings.backend.client_address == gate::ClientAddress::proxy_v2;
  server.ehlo_lines = gate->lines;
  const auto files = publish::nginx_files(server);
  if (!files) return own_error(files.error().detail);
  return give(request, {{"nginx.conf", files->configuration}, {"pinnace_pins.js", files->script}});
}

int publish_haraka(const PublishRequest& request) {
  const auto gate = read_gate(request);
  if (!gate) return own_error(gate.error().detail);
  return give(request, {{"pinnace_pins.js", publish::haraka_plugin(gate->lines)}});
}

}  // namespace pinnace::app
