// One message over a session that is open: its envelope, and its text by DATA or in chunks.
#include <fmt/format.h>

#include "base/log.hpp"
#include "delivery/conversion.hpp"
#include "delivery/session.hpp"
#include "smtp/dot.hpp"

namespace pinnace::delivery {

using Kind = smtp::Client::Kind;

namespace {

smtp::OutgoingEnvelope envelope_of(const queue::Work& work, const Settings& settings) {
  const queue::Message& m = *work.message;
  smtp::OutgoingEnvelope out;
  out.reverse_path = m.reverse_path;
  for (const std::size_t i : work.recipients) {
    const queue::Recipient& r = m.recipients[i];
    out.recipients.emplace_back(r.address, smtp::RcptDsn{r.notify, r.orcpt});
  }
  out.dsn = {m.ret, m.envid};
  out.size = m.size;
  out.body_8bit = m.body_8bit;
  out.body_binary = m.body_binary;
  out.smtputf8 = m.smtputf8;
  out.requiretls = m.tls_wish == queue::TlsWish::require;
  out.chunking = settings.chunking;
  out.one_chunk = m.chunks <= 1;
  return out;
}

// Cannot come from our own intake; never send what another server may read as two messages.
Problem bare_line_end() { return permanent("5.6.0", "the message has a bare CR or LF and cannot be sent"); }

}  // namespace

io::Task<Attempt<std::vector<smtp::Reply>>> Session::send(const queue::Queue& queue,
                                                          const queue::Work& work) {
  smtp::OutgoingEnvelope envelope = envelope_of(work, tools_.settings);
  // docs/decisions/0007: what the sender demands of the way is no question where there is none.
  if (local()) envelope.requiretls = false;
  std::optional<mime::Transport> conversion;
  if (tools_.settings.convert) {
    conversion = needed_conversion(*work.message, capabilities(), envelope.chunking);
  }
  if (conversion) {
    envelope.body_binary = false;
    envelope.body_8bit = *conversion == mime::Transport::eight_bit;
  }
  if (envelope.smtputf8 && !capabilities().has("SMTPUTF8")) {
    const auto needed = co_await needs_smtputf8(tools_.loop, queue, work);
    if (!needed) co_return std::unexpected(needed.error());
    envelope.smtputf8 = *needed;
  }
  if (const auto refusal = client_->refusal(envelope)) {
    // Another host may take it (RFC 6531 3.2, RFC 5321 5.1): only where none does is it over.
    const std::string status = refusal->enhanced();
    co_return std::unexpected(permanent(
        status, fmt::format("{}: {}", host_name_, refusal->lines.front().substr(status.size() + 1))));
  }
  stream_->set_deadline(io::Steady::now() + tools_.settings.transaction_timeout);
  Text text{queue, *work.message, 0, {}, nullptr};
  if (conversion) {
    auto planned = co_await convert(text, *conversion);
    if (!planned) co_return std::unexpected(planned.error());
    if (text.converter) envelope.size = 0;  // not known before it is sent
  }
  client_->begin(std::move(envelope));
  for (;;) {
    auto at = co_await run();
    if (!at) co_return std::unexpected(at.error());
    if (*at == Kind::done) break;
    if (*at != Kind::send_body) continue;
    auto sent = co_await send_text(text);
    if (!sent) co_return std::unexpected(sent.error());
  }
  stream_->set_idle_timeout(tools_.settings.command_timeout);
  ++messages_;
  std::vector<smtp::Reply> results = client_->results();
  co_return results;
}

io::Task<Attempt<bool>> Session::convert(Text& text, mime::Transport to) {
  auto plan = co_await plan_conversion(tools_.loop, text.queue, text.message, to);
  if (!plan) {
    plan.error().reason = host_name_ + ": " + plan.error().reason;
    co_return std::unexpected(plan.error());
  }
  if (!plan->changes()) co_return true;
  text.converter = std::make_unique<mime::TransferConverter>(std::move(*plan));
  base::log_info("converted", {{"id", text.message.id.str()},
                               {"host", host_name_},
                               {"to", to == mime::Transport::seven_bit ? "7bit" : "8bit"}});
  co_return true;
}

io::Task<Attempt<bool>> Session::send_text(Text& text) {
  if (!client_->chunking()) co_return co_await send_data(text);
  co_return co_await send_chunk(text);
}

Attempt<std::string> Session::Text::next() {
  if (row >= message.chunks) return std::string();
  auto octets = queue.body_chunk(message, row++);
  if (!octets) return std::unexpected(temporary("4.3.0", octets.error().detail));
  if (!converter) return std::move(*octets);
  std::string out;
  converter->feed(*octets, out);
  if (ended()) converter->finish(out);
  return out;
}

// A row of the store is a chunk. One round trip for envelope and text where it is the only one.
io::Task<Attempt<bool>> Session::send_chunk(Text& text) {
  auto octets = text.next();
  if (!octets) co_return std::unexpected(octets.error());
  const bool last = text.ended();
  const bool lines = (text.message.body_binary && !text.converter) ||
                     (text.lines.feed(*octets) && (!last || text.lines.whole()));
  if (!lines) co_return std::unexpected(bare_line_end());
  std::string wire = client_->chunk_head(octets->size(), last);
  wire += *octets;
  auto sent = co_await stream_->write_all(wire);
  if (!sent) co_return co_await hear_out(sent.error());
  if (last) stream_->set_idle_timeout(tools_.settings.data_end_timeout);
  client_->chunk_sent(last);
  co_return true;
}

io::Task<Attempt<bool>> Session::send_data(Text& text) {
  smtp::DotWriter dots;
  std::string wire;
  bool good = true;
  for (;;) {
    auto octets = text.next();
    if (!octets) co_return std::unexpected(octets.error());
    wire.reserve(octets->size() + 512);
    good = good && dots.write(*octets, wire);
    if (!good || text.ended()) break;
    auto sent = co_await stream_->write_all(wire);
    if (!sent) co_return co_await hear_out(sent.error());
    wire.clear();
  }
  if (!good || !dots.finish(wire)) co_return std::unexpected(bare_line_end());
  auto sent = co_await stream_->write_all(wire);
  if (!sent) co_return co_await hear_out(sent.error());
  stream_->set_idle_timeout(tools_.settings.data_end_timeout);
  client_->body_sent();
  co_return true;
}

// Writing failed. A server that refuses in the middle may close before it has read all: what it said counts.
io::Task<Attempt<bool>> Session::hear_out(base::Error error) {
  if (error.code != "io.write") co_return std::unexpected(lost(error));
  stream_->set_idle_timeout(std::chrono::seconds(5));
  char buffer[4096];
  for (std::size_t heard = 0; heard < smtp::ReplyParser::kMaxReply;) {
    auto n = co_await stream_->read_some(buffer, sizeof buffer);
    if (!n || *n == 0) break;
    client_->receive({buffer, *n});
    heard += *n;
  }
  client_->peer_closed();
  auto end = co_await run();
  if (end) co_return true;  // the caller sees the same end
  if (end.error().reply.empty()) co_return std::unexpected(lost(error));
  co_return std::unexpected(end.error());
}

}  // namespace pinnace::delivery
