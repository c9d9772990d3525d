// What a gate is told. Every setting is described in docs/configuration.md.
#pragma once

#include <string>
#include <vector>

#include "gate/face.hpp"
#include "gate/limits.hpp"
#include "io/address.hpp"
#include "io/pace.hpp"

namespace pinnace::gate {

// How the backend learns whose session it is.
enum class ClientAddress : std::uint8_t { none, xclient, proxy_v2 };

enum class BackendProtocol : std::uint8_t { smtp, lmtp };
enum class BackendTls : std::uint8_t { none, starttls, tls };

// The mail servers behind, each as good as another.
struct BackendSettings {
  std::string hostname;  // the gate's own, where it speaks for nobody
  std::vector<io::Endpoint> endpoints;
  BackendProtocol protocol = BackendProtocol::smtp;
  BackendTls tls = BackendTls::none;
  std::vector<pins::Pin> pins;  // with TLS: one of their certificates' keys must be among these
  ClientAddress client_address = ClientAddress::none;
  base::Milliseconds connect_timeout = std::chrono::seconds(10);
  base::Milliseconds timeout = std::chrono::minutes(10);  // for a reply
  base::Milliseconds check = std::chrono::seconds(5);     // between looks at one that failed
};

struct Settings {
  std::string hostname;  // of the first host
  std::vector<io::Endpoint> listen;
  std::vector<io::Endpoint> listen_tls;  // TLS from the first octet (RFC 8314 3.3)
  BackendSettings backend;
  AdvertSettings advert;
  tls::ServerPolicy tls;
  LimitSettings limits;
  std::size_t max_errors = 20;
  base::Milliseconds tarpit{0};  // by which the answer to each error comes later than that to the one before
  io::PaceSettings pace;         // of a message's text
  base::Milliseconds command_timeout = std::chrono::minutes(5);
  base::Milliseconds transaction_timeout = std::chrono::hours(1);
};

}  // namespace pinnace::gate
