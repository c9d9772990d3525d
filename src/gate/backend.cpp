#include "gate/backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/proxy_header.hpp"
#include "tls/session.hpp"

namespace pinnace::gate {
namespace {

base::Error broken(std::string detail) { return {"gate.backend", std::move(detail)}; }

}  // namespace

io::Task<base::Result<smtp::Reply>> Backend::reply() {
  char buffer[1024];
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

io::Task<base::Result<>> Backend::hello(std::string client_name) {
  std::string line = protocol_ == BackendProtocol::lmtp ? "LHLO " : "EHLO ";  // RFC 2033 4.1
  line += client_name;
  const auto said = co_await ask(std::move(line));
  if (!said) co_return std::unexpected(said.error());
  // RFC 5321 4.1.4 allows another EHLO; OpenSMTPD wants no second one, and stays with the first name.
  const bool keeps_first = said->code == 503 && !introduced_.empty();
  if (said->code != 250 && !keeps_first)
    co_return std::unexpected(broken("the backend refuses EHLO: " + said->text()));
  if (said->code == 250) capabilities_ = smtp::Capabilities(*said);
  introduced_ = client_name;
  co_return base::Result<>{};
}

io::Task<base::Result<>> Backend::introduce(std::string client_name) {
  if (client_name == introduced_) co_return base::Result<>{};
  co_return co_await hello(std::move(client_name));
}

// It is on, or the session is over: who asked for TLS here will not do without.
io::Task<base::Result<>> Backend::start_tls(const BackendSettings& settings) {
  // RFC 3207 4.2: nothing that stood in the clear is heard inside.
  if (parser_.pending()) co_return std::unexpected(broken("the backend speaks before TLS is there"));
  static const tls::ClientContext context;
  tls::ClientHello from_us{{}, {}};
  const auto shaken = co_await tls::start_client(stream_, context, std::move(from_us));
  if (!shaken) co_return std::unexpected(shaken.error());
  const auto keys = shaken->chain.pins();
  const auto known = std::ranges::find(settings.pins, keys.front());
  if (known != settings.pins.end()) co_return base::Result<>{};
  co_return std::unexpected(broken("the backend's certificate has the key " + keys.front().str() +
                                   ", which is not among backend_pins"));
}

io::Task<base::Result<>> Backend::tell_proxy(std::optional<Client> client) {
  Client whose;  // its own connection's, where there is no client
  if (client) {
    whose = *client;
  } else if (const auto local = stream_.local_address()) {
    whose.address = whose.local = *local;
  }
  const std::string header =
      io::proxy_header({whose.address, whose.port, {}}, {whose.local, whose.local_port, {}});
  co_return co_await stream_.write_all(header);
}

io::Task<base::Result<>> Backend::tell_xclient(Client client) {
  const auto offered = capabilities_.parameters("XCLIENT");
  std::string line =
      "XCLIENT ADDR=" + (client.address.is_v4() ? "" : std::string("IPV6:")) + client.address.str();
  if ((" " + offered.front() + " ").find(" PORT ") != std::string::npos)
    line += fmt::format(" PORT={}", client.port);
  const auto said = co_await ask(line);
  if (!said) co_return std::unexpected(said.error());
  if (said->code != 220) {
    refusal_ = *said;
    co_return std::unexpected(broken("the backend refuses XCLIENT: " + said->text()));
  }
  introduced_.clear();  // it begins anew
  co_return base::Result<>{};
}

io::Task<base::Result<>> Backend::prepare(const BackendSettings& settings, std::optional<Client> client,
                                          std::string client_name) {
  if (settings.client_address == ClientAddress::proxy_v2) {
    const auto told = co_await tell_proxy(client);
    if (!told) co_return std::unexpected(told.error());
  }
  if (settings.tls == BackendTls::tls) {
    const auto secured = co_await start_tls(settings);
    if (!secured) co_return std::unexpected(secured.error());
  }
  const auto greeting = co_await reply();
  if (!greeting) co_return std::unexpected(greeting.error());
  if (greeting->code != 220) {
    refusal_ = *greeting;
    co_return std::unexpected(broken("it greets with " + greeting->text()));
  }
  auto introduced = co_await hello(client_name);
  if (!introduced) co_return introduced;
  if (settings.tls == BackendTls::starttls) {
    const auto said = co_await ask("STARTTLS");
    if (!said) co_return std::unexpected(said.error());
    if (said->code != 220) co_return std::unexpected(broken("the backend refuses STARTTLS: " + said->text()));
    const auto secured = co_await start_tls(settings);
    if (!secured) co_return std::unexpected(secured.error());
    introduced_.clear();
    introduced = co_await hello(client_name);
    if (!introduced) co_return introduced;
  }
  if (settings.client_address != ClientAddress::xclient) co_return base::Result<>{};
  if (capabilities_.parameters("XCLIENT").empty()) {
    co_return std::unexpected(
        broken("the backend does not offer XCLIENT: allow this gate's address "
               "(Postfix: smtpd_authorized_xclient_hosts)"));
  }
  if (!client) co_return base::Result<>{};
  const auto told = co_await tell_xclient(*client);
  if (!told) co_return std::unexpected(told.error());
  co_return co_await hello(client_name);
}

io::Task<Backend::Opened> Backend::open(io::Loop& loop, const BackendSettings& settings, io::Endpoint at,
                                        std::optional<Client> client, std::string client_name) {
  const auto refuse = [](const base::Error& e) {
    return std::unexpected(
        Refused{e.detail, smtp::Reply::make(421, "4.3.2 no service now, try again later"), false});
  };
  auto connected = co_await io::connect(loop, at, settings.connect_timeout);
  if (!connected) co_return refuse(connected.error());
  std::unique_ptr<Backend> backend(new Backend(std::move(*connected), settings.protocol));
  // One that hangs must not keep the client from another.
  backend->stream_.set_deadline(io::Steady::now() + 3 * settings.connect_timeout);
  const auto ready = co_await backend->prepare(settings, client, client_name);
  backend->stream_.set_deadline(std::nullopt);
  backend->stream_.set_idle_timeout(settings.timeout);
  if (ready) co_return backend;
  if (!backend->refusal_) co_return refuse(ready.error());
  co_return std::unexpected(Refused{ready.error().detail, *backend->refusal_, true});
}

void Backend::begin_text(bool chunks) {
  dots_ = smtp::DotWriter();
  chunks_ = chunks;
  chunk_refused_.reset();
  text_.clear();
}

io::Task<base::Result<>> Backend::write_text(std::string_view text) {
  if (chunk_refused_) co_return base::Result<>{};  // it is said at the end
  if (chunks_) {
    text_ += text;
  } else if (!dots_.write(text, text_)) {
    co_return std::unexpected(broken("the message has a bare CR or LF"));
  }
  if (text_.size() < kHeld) co_return base::Result<>{};
  if (!chunks_) co_return co_await write_held();
  auto taken = co_await write_chunk("");
  if (!taken) co_return std::unexpected(taken.error());
  if (taken->code != 250) chunk_refused_ = std::move(*taken);
  co_return base::Result<>{};
}

io::Task<base::Result<>> Backend::write_held() {
  const std::string wire = std::exchange(text_, {});
  co_return co_await stream_.write_all(wire);
}

io::Task<base::Result<smtp::Reply>> Backend::write_chunk(std::string_view last) {
  text_.insert(0, fmt::format("BDAT {}{}\r\n", text_.size(), last));
  const auto sent = co_await write_held();
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await reply();
}

io::Task<base::Result<smtp::Reply>> Backend::end_text() {
  if (chunks_) {
    if (!chunk_refused_) co_return co_await write_chunk(" LAST");
    // RFC 3030 2: after a chunk that failed there must be a RSET.
    const auto forgotten = co_await ask("RSET");
    if (!forgotten) co_return std::unexpected(forgotten.error());
    co_return *chunk_refused_;
  }
  if (!dots_.finish(text_)) co_return std::unexpected(broken("the message has a bare CR or LF"));
  const auto sent = co_await write_held();
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await reply();
}

}  // namespace pinnace::gate
