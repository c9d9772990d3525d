#include "gate/backend.hpp"

#include <fmt/format.h>

#include "io/proxy_header.hpp"

namespace pinnace::gate {
io::Task<base::Result<smtp::Reply>> Backend::reply() {
  char buffer[4096];
  for (;;) {
    auto got = parser_.next();
    if (!got) co_return std::unexpected(got.error());
    if (*got) co_return std::move(**got);
    const auto n = co_await stream_.read_some(buffer, sizeof buffer);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) co_return base::fail("gate.backend", "the backend closed the connection");
    parser_.receive({buffer, *n});
  }
}

io::Task<base::Result<smtp::Reply>> Backend::ask(std::string line) {
  line += "\r\n";
  const auto sent = co_await stream_.write_all(line);
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await reply();
}

io::Task<base::Result<>> Backend::introduce(std::string client_name) {
  if (client_name == introduced_) co_return base::Result<>{};
  const auto said = co_await ask("EHLO " + client_name);
  if (!said) co_return std::unexpected(said.error());
  // RFC 5321 4.1.4 allows another EHLO; OpenSMTPD wants no second one, and stays with the gate's own name.
  const bool keeps_first = said->code == 503 && !introduced_.empty();
  if (said->code != 250 && !keeps_first)
    co_return base::fail("gate.backend", "the backend refuses EHLO: " + said->text());
  introduced_ = client_name;
  co_return base::Result<>{};
}

io::Task<base::Result<>> Backend::tell_xclient(const Client& client) {
  const auto offered = capabilities_.parameters("XCLIENT");
  if (offered.empty()) {
    co_return base::fail("gate.backend",
                         "the backend does not offer XCLIENT: allow this gate's address "
                         "(Postfix: smtpd_authorized_xclient_hosts)");
  }
  std::string line =
      "XCLIENT ADDR=" + (client.address.is_v4() ? "" : std::string("IPV6:")) + client.address.str();
  if ((" " + offered.front() + " ").find(" PORT ") != std::string::npos)
    line += fmt::format(" PORT={}", client.port);
  const auto said = co_await ask(line);
  if (!said) co_return std::unexpected(said.error());
  if (said->code != 220) co_return base::fail("gate.backend", "the backend refuses XCLIENT: " + said->text());
  introduced_.clear();  // it begins anew
  co_return base::Result<>{};
}

io::Task<std::expected<std::unique_ptr<Backend>, Backend::Refused>> Backend::open(io::Loop& loop,
                                                                                  const Settings& settings,
                                                                                  Client client) {
  const auto refuse = [](const base::Error& e) {
    return std::unexpected(
        Refused{e.detail, smtp::Reply::make(421, "4.3.2 no service now, try again later")});
  };
  auto connected = co_await io::connect(loop, settings.backend, std::chrono::seconds(10));
  if (!connected) co_return refuse(connected.error());
  std::unique_ptr<Backend> backend(new Backend(std::move(*connected)));
  backend->stream_.set_idle_timeout(settings.backend_timeout);
  if (settings.client_address == ClientAddress::proxy_v2) {
    const std::string header =
        io::proxy_header({client.address, client.port, {}}, {client.local, client.local_port, {}});
    const auto sent = co_await backend->stream_.write_all(header);
    if (!sent) co_return refuse(sent.error());
  }
  const auto greeting = co_await backend->reply();
  if (!greeting) co_return refuse(greeting.error());
  if (greeting->code != 220) co_return std::unexpected(Refused{greeting->text(), *greeting});
  const auto ehlo = co_await backend->ask("EHLO " + settings.hostname);
  if (!ehlo) co_return refuse(ehlo.error());
  backend->capabilities_ = smtp::Capabilities(*ehlo);
  backend->introduced_ = settings.hostname;
  if (settings.client_address == ClientAddress::xclient) {
    const auto told = co_await backend->tell_xclient(client);
    if (!told) co_return refuse(told.error());
  }
  co_return backend;
}

io::Task<base::Result<>> Backend::write_body(std::string_view text) {
  std::string wire;
  wire.reserve(text.size() + 64);
  if (!dots_.write(text, wire)) co_return base::fail("gate.backend", "the message has a bare CR or LF");
  co_return co_await stream_.write_all(wire);
}

io::Task<base::Result<smtp::Reply>> Backend::end_body() {
  std::string wire;
  if (!dots_.finish(wire)) co_return base::fail("gate.backend", "the message has a bare CR or LF");
  const auto sent = co_await stream_.write_all(wire);
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await reply();
}

}  // namespace pinnace::gate
