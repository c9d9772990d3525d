// Byte streams: TCP and UNIX sockets, plain or with TLS laid over them by a Transport.
//
// Every wait has an end: the idle timeout of one operation, and a deadline over all
// of them. A wait that runs out gives the error "io.timeout".
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/address.hpp"
#include "io/loop.hpp"
#include "io/socket.hpp"

namespace pinnace::io {

// How bytes pass through a socket. TLS is another Transport over the same socket.
class Transport {
 public:
  using Outcome = io::Outcome;
  using State = Outcome::State;

  virtual ~Transport() = default;
  virtual Outcome read(Socket& socket, char* to, std::size_t size) = 0;
  virtual Outcome write(Socket& socket, const char* from, std::size_t size) = 0;
  // Bytes already taken from the socket but not yet read.
  virtual bool buffered() const { return false; }
  // Says goodbye where the protocol has one (TLS close_notify); never waits.
  virtual void finish(Socket&) {}
};

class Stream {
 public:
  Stream(Loop& loop, int fd, std::string peer);  // takes the descriptor over
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  // Up to `size` octets; 0 at the peer's orderly end.
  Task<base::Result<std::size_t>> read_some(char* to, std::size_t size);
  // All of it, or an error. `bytes` stay the caller's until it ends.
  Task<base::Result<>> write_all(std::string_view bytes);

  // For a Transport's own handshake: waits for the descriptor as `state` says.
  Task<base::Result<>> wait(Transport::State state);

  void set_transport(std::shared_ptr<Transport> transport);
  Transport* transport();

  void set_idle_timeout(base::Milliseconds timeout);        // default 5 minutes
  void set_deadline(std::optional<Steady::time_point> at);  // over all operations
  base::Milliseconds time_left() const;                     // to a wait that begins now
  // A wait under way, every later one and every read fail with "io.interrupted"; what can be written
  // without waiting still is.
  void interrupt();

  Socket& socket();
  const std::string& peer() const;  // as Endpoint::str()
  std::optional<IpAddress> peer_address() const;
  // Nothing waits to be read, nor did the peer close it, as far as this machine knows.
  bool quiet() const;
  std::optional<IpAddress> local_address() const;
  void close();

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

class Listener {
 public:
  // A UNIX socket gets mode 0600; a stale one is replaced, a live one is an error.
  static base::Result<Listener> bind(Loop& loop, const Endpoint& at);
  Listener(Listener&&) noexcept;
  ~Listener();

  // Hands each connection to `take`, until close(). Where none can be had (out of descriptors, mostly: those
  // there must end first) the log says so, and after a pause another is looked for; likewise where `take`
  // throws, which ends that connection alone.
  Task<void> each(std::function<void(Stream)> take);
  Task<base::Result<Stream>> accept();  // "io.interrupted" after close()
  void close();
  const Endpoint& local() const;

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Errors: "io.connect" (with the system's reason), "io.source" (no connection can begin there), "io.timeout".
Task<base::Result<Stream>> connect(Loop& loop, Endpoint to, base::Milliseconds timeout,
                                   std::optional<IpAddress> source = std::nullopt);

}  // namespace pinnace::io
