// The gate's session with the mail server behind it: one for each client's session.
#pragma once

#include <memory>
#include <string>

#include "gate/gate.hpp"
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
  // Connects, tells the client's address as the settings say, and says EHLO. A reply in the error is
  // the backend's own refusal.
  struct Refused {
    std::string detail;
    smtp::Reply reply;
  };
  static io::Task<std::expected<std::unique_ptr<Backend>, Refused>> open(io::Loop& loop,
                                                                         const Settings& settings,
                                                                         Client client);

  const smtp::Capabilities& capabilities() const { return capabilities_; }

  // Sends a line (without CRLF) and waits for its reply.
  io::Task<base::Result<smtp::Reply>> ask(std::string line);
  // EHLO with the client's own name, where it is not the last one said.
  io::Task<base::Result<>> introduce(std::string client_name);
  io::Task<base::Result<>> write_body(std::string_view text);
  io::Task<base::Result<smtp::Reply>> end_body();
  void begin_body() { dots_ = smtp::DotWriter(); }

 private:
  explicit Backend(io::Stream stream) : stream_(std::move(stream)) {}
  io::Task<base::Result<smtp::Reply>> reply();
  io::Task<base::Result<>> tell_xclient(const Client& client);

  io::Stream stream_;
  smtp::ReplyParser parser_;
  smtp::Capabilities capabilities_;
  smtp::DotWriter dots_;
  std::string introduced_;
};

}  // namespace pinnace::gate
