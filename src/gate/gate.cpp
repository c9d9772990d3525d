#include "gate/gate.hpp"

namespace pinnace::gate {
namespace {

constexpr std::size_t kMostTurnedAway = 256;  // told why at once; more are dropped without a word

// Undoes what a session's beginning did, however the session ends.
template <class Undo>
struct Finally {
  Undo undo;
  explicit Finally(Undo u) : undo(std::move(u)) {}
  Finally(const Finally&) = delete;
  ~Finally() { undo(); }
};

}  // namespace

Gate::Gate(io::Loop& loop, const base::Clock& clock, Settings settings, Face face)
    : loop_(loop),
      clock_(clock),
      settings_(std::move(settings)),
      face_(std::make_shared<const Face>(std::move(face))),
      handshakes_(loop),
      limits_(settings_.limits),
      backends_(loop, settings_.backend) {}

void Gate::renew(Face face) { face_ = std::make_shared<const Face>(std::move(face)); }

base::Result<> Gate::listen(const std::vector<io::Endpoint>& at, bool tls_first) {
  for (const io::Endpoint& one : at) {
    auto bound = io::Listener::bind(loop_, one);
    if (!bound) return std::unexpected(bound.error());
    io::Listener& listener = *listeners_.emplace_back(std::make_unique<io::Listener>(std::move(*bound)));
    loop_.spawn(listener.each([this, port = listener.local().port, tls_first](io::Stream stream) {
      admit(std::move(stream), port, tls_first);
    }));
  }
  return {};
}

base::Result<> Gate::start() {
  if (auto bound = listen(settings_.listen, false); !bound) return bound;
  if (auto bound = listen(settings_.listen_tls, true); !bound) return bound;
  loop_.spawn(backends_.watch());
  return {};
}

void Gate::stop() {
  stopping_ = true;
  for (const auto& listener : listeners_) listener->close();
  for (Session* session : sessions_) session->stop();
  backends_.stop();
}

void Gate::admit(io::Stream stream, std::uint16_t port, bool tls_first) {
  const auto address = stream.peer_address();
  const auto local = stream.local_address();
  const auto peer = io::Endpoint::parse(stream.peer());
  if (!address || !local || !peer) return;  // gone already
  const Parts parts{loop_, settings_, backends_, handshakes_, senders_};
  const Client client{*address, peer->port, *local, port};
  auto session = std::make_shared<Session>(parts, face_, std::move(stream), client, tls_first);
  std::string refused = limits_.enter(*address, clock_.now());
  if (refused.empty()) {
    loop_.spawn(serve(std::move(session)));
  } else if (turned_away_ < kMostTurnedAway) {
    loop_.spawn(turn_away(std::move(session), std::move(refused)));
  }
}

io::Task<void> Gate::turn_away(std::shared_ptr<Session> session, std::string why) {
  ++turned_away_;
  const Finally over([this] { --turned_away_; });
  co_await session->turn_away(std::move(why));
}

io::Task<void> Gate::serve(std::shared_ptr<Session> session) {
  sessions_.insert(session.get());
  const Finally left([this, s = session.get()] {
    sessions_.erase(s);
    limits_.leave(s->client().address);
  });
  co_await session->serve();
}

}  // namespace pinnace::gate
