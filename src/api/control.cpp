#include "api/control.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include "io/socket.hpp"

namespace pinnace::api {
namespace {

constexpr std::size_t kMostRequest = 6 << 20;  // a TLS report may be of 4 MB, in base64
constexpr std::size_t kMostAnswer = 256 << 20;
constexpr std::size_t kMostSessions = 32;

// Up to and without the newline; an error where the peer ends before it.
io::Task<base::Result<std::string>> read_line(io::Stream& stream, std::size_t most) {
  std::string line;
  char buffer[16 << 10];
  for (;;) {
    const auto n = co_await stream.read_some(buffer, sizeof buffer);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) co_return base::fail("api.control", "the other side ended before its line did");
    line.append(buffer, *n);
    if (const auto end = line.find('\n', line.size() - *n); end != std::string::npos) {
      line.resize(end);
      co_return line;
    }
    if (line.size() > most) co_return base::fail("api.control", "the line is too long");
  }
}

// However it ends: a handler may throw.
struct Counted {
  explicit Counted(std::size_t& n) : sessions(n) { ++sessions; }
  ~Counted() { --sessions; }
  Counted(const Counted&) = delete;
  std::size_t& sessions;
};

// Whose command it is.
std::optional<std::uint32_t> user_of(io::Stream& stream) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(stream.socket().fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

}  // namespace

ControlServer::ControlServer(io::Loop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}

base::Result<> ControlServer::start(const std::string& path) {
  io::Endpoint at;
  at.unix_path = path;
  if (path.size() > 107) {
    return base::fail("api.control",
                      fmt::format("the path {} is too long for a UNIX socket: 107 octets at most", path));
  }
  auto listener = io::Listener::bind(loop_, at);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::make_unique<io::Listener>(std::move(*listener));
  loop_.spawn(listener_->each([this](io::Stream stream) {
    if (sessions_ < kMostSessions) loop_.spawn(serve(std::make_shared<io::Stream>(std::move(stream))));
  }));
  return {};
}

void ControlServer::stop() {
  if (listener_) listener_->close();
}

io::Task<void> ControlServer::serve(std::shared_ptr<io::Stream> stream) {
  const Counted counted(sessions_);
  stream->set_idle_timeout(std::chrono::seconds(30));
  auto line = co_await read_line(*stream, kMostRequest);
  if (line) {
    const auto user = user_of(*stream);
    const std::string reply = co_await answer(std::move(*line), user);
    const auto sent = co_await stream->write_all(reply);
    (void)sent;
  }
}

io::Task<std::string> ControlServer::answer(std::string line, std::optional<std::uint32_t> user) {
  boost::json::object reply;
  boost::system::error_code error;
  boost::json::value request = boost::json::parse(line, error);
  if (error || !request.is_object()) {
    reply["error"] = "a JSON object on one line is expected";
  } else {
    boost::json::object& asked = request.as_object();
    asked["peer_uid"] = user ? boost::json::value(*user) : boost::json::value(nullptr);
    auto result = co_await handler_(std::move(asked));
    if (result) {
      reply["result"] = std::move(*result);
    } else {
      reply["error"] = result.error().detail;
    }
  }
  co_return boost::json::serialize(reply) + "\n";
}

namespace {

io::Task<void> ask_task(io::Loop& loop, io::Endpoint at, std::string request,
                        base::Result<std::string>& out) {
  auto stream = co_await io::connect(loop, at, std::chrono::seconds(10));
  if (!stream) {
    out = std::unexpected(stream.error());
    co_return;
  }
  stream->set_idle_timeout(std::chrono::seconds(60));
  const auto sent = co_await stream->write_all(request);
  if (!sent) {
    out = std::unexpected(sent.error());
    co_return;
  }
  out = co_await read_line(*stream, kMostAnswer);
}

}  // namespace

base::Result<boost::json::value> ask(const std::string& path, const boost::json::object& request) {
  io::Loop loop;
  io::Endpoint at;
  at.unix_path = path;
  base::Result<std::string> line = base::fail("api.control", "no answer");
  if (path.size() <= 107) {
    loop.spawn(ask_task(loop, at, boost::json::serialize(request) + "\n", line));
    loop.run();
    loop.drop_tasks();
  }
  if (!line) {
    return base::fail("api.control",
                      fmt::format("no service answers at {} ({}): is it running, and is this its "
                                  "control socket? Name it with --control",
                                  path, line.error().detail));
  }
  boost::system::error_code error;
  boost::json::value reply = boost::json::parse(*line, error);
  if (error || !reply.is_object()) return base::fail("api.control", "the answer of " + path + " is no JSON");
  if (const auto* why = reply.as_object().if_contains("error")) {
    return base::fail("api.command", std::string(why->as_string()));
  }
  return reply.as_object()["result"];
}

}  // namespace pinnace::api
