// BDAT: the message's text in chunks of a size that is said before (RFC 3030 2).
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "smtp/server.hpp"

namespace pinnace::smtp {

// Whatever is wrong with it is said behind the chunk, whose octets must not be taken for commands.
Server::MaybeAction Server::bdat(std::string_view argument) {
  const auto chunk = options_.chunking ? parse_bdat(argument) : std::nullopt;
  if (!chunk) {
    // Nobody knows where the next command stands then, and a message's author must not write one.
    options_.chunking ? close(501, "5.5.4 BDAT takes a size, and LAST: where the chunk ends is not known")
                      : close(502, "5.5.1 CHUNKING is not offered");
    return std::nullopt;
  }
  state_ = State::chunk;
  chunks_.current = *chunk;
  chunks_.left = chunk->size;
  if (transaction_ != Transaction::open || recipients_ == 0) return std::nullopt;
  const bool first = !std::exchange(chunks_.begun, true);
  if (first) {
    dots_ = DotReader();
    chunks_.lines = TextLines();
    chunks_.refusal.clear();
    size_ = 0;
  }
  size_ += std::min(chunk->size, std::numeric_limits<std::uint64_t>::max() - size_);
  if (first) return ask(Kind::data);
  return std::nullopt;
}

Server::MaybeAction Server::read_chunk() {
  const std::string_view here = std::string_view(in_).substr(at_);
  chunk_ = here.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(chunks_.left, here.size())));
  take_input(chunk_.size());
  chunks_.left -= chunk_.size();
  // RFC 3030 3: a binary message has lines where it says so itself. All other text may have to go on by
  // DATA, so it is held to what DATA is.
  const bool wanted = transaction_ == Transaction::open && chunks_.begun && chunks_.refusal.empty();
  if (wanted && !body_binary()) chunks_.lines.read(chunk_);
  const bool refused = too_large() || too_long() || bare_line_end() || nul();
  if (!chunk_.empty() && wanted && !refused) return Action{Kind::body, chunk_, nullptr, {}};
  if (chunks_.left > 0) return Action{Kind::read, {}, nullptr, {}};
  return end_chunk();
}

Server::MaybeAction Server::end_chunk() {
  const Chunk& chunk = chunks_.current;
  state_ = State::command;
  if (no_data_now()) return std::nullopt;
  if (!chunks_.refusal.empty()) {
    out_ += chunks_.refusal;
    return fail_chunk();
  }
  if (chunk.last) chunks_.lines.end();
  if (refuse_text()) return fail_chunk();
  if (chunk.last) return ask(Kind::body_end);
  say(250, fmt::format("2.0.0 {} octets", chunk.size));
  if (chunk.size == 0) count_idle();
  return std::nullopt;
}

// RFC 3030 2: the chunks that are under way already are taken, and refused as well, until RSET or MAIL.
Server::MaybeAction Server::fail_chunk() {
  const MaybeAction action = reset();
  if (!chunks_.current.last) transaction_ = Transaction::refused;
  return action;
}

}  // namespace pinnace::smtp
