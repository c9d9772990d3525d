// The gate's session with a mail server behind it: one for each client's session that brings mail.
#pragma once

#include <memory>
#include <string>

#include "gate/settings.hpp"
#include "io/stream.hpp"
#include "smtp/capabilities.hpp"
#include "smtp/dot.hpp"
#include "smtp/reply.hpp"

namespace pinnace::gate {

// Whose session it is.
struct Client {
  io::IpAddress address;
  std::uint16_t port = 0;
  io::IpAddress local;  // where the client connected to
  std::uint16_t local_port = 0;
};

class Backend {
 public:
  struct Refused {
    std::string detail;
    smtp::Reply reply;           // for the client
    bool of_the_client = false;  // the backend is well, and refuses this one
  };
  using Opened = std::expected<std::unique_ptr<Backend>, Refused>;

  // Connects, makes TLS and tells the client's address as the settings say, and says EHLO (LHLO) with the
  // client's name. Without a client it is the gate's own session, to see whether the backend works.
  static io::Task<Opened> open(io::Loop& loop, const BackendSettings& settings, io::Endpoint at,
                               std::optional<Client> client, std::string client_name);

  const smtp::Capabilities& capabilities() const { return capabilities_; }

  // Sends a line (without CRLF) and waits for its reply.
  io::Task<base::Result<smtp::Reply>> ask(std::string line);
  // EHLO with the client's own name, where it is not the last one said.
  io::Task<base::Result<>> introduce(std::string client_name);

  // A message's text goes by DATA, whose 354 has come, or in chunks of our own (RFC 3030): how the client cut
  // them means nothing.
  void begin_text(bool chunks);
  io::Task<base::Result<>> write_text(std::string_view text);
  io::Task<base::Result<smtp::Reply>> end_text();

 private:
  explicit Backend(io::Stream stream, BackendProtocol protocol)
      : stream_(std::move(stream)), protocol_(protocol) {}
  io::Task<base::Result<>> prepare(const BackendSettings& settings, std::optional<Client> client,
                                   std::string client_name);
  io::Task<base::Result<smtp::Reply>> reply();
  io::Task<base::Result<>> write_held();
  io::Task<base::Result<smtp::Reply>> write_chunk(std::string_view last);
  io::Task<base::Result<>> hello(std::string client_name);
  io::Task<base::Result<>> start_tls(const BackendSettings& settings);
  io::Task<base::Result<>> tell_proxy(std::optional<Client> client);
  io::Task<base::Result<>> tell_xclient(Client client);

  io::Stream stream_;
  BackendProtocol protocol_;
  smtp::ReplyParser parser_;
  smtp::Capabilities capabilities_;
  std::optional<smtp::Reply> refusal_;  // its greeting, if that is none
  std::string introduced_;
  smtp::DotWriter dots_;
  bool chunks_ = false;
  std::optional<smtp::Reply> chunk_refused_;
  // As it goes over the wire, but for a chunk's BDAT. A short message is one write, its end with it: each one
  // wakes the backend.
  static constexpr std::size_t kHeld = 32 << 10;
  std::string text_;
};

}  // namespace pinnace::gate
