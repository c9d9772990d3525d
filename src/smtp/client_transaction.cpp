// The client's mail transactions: MAIL, RCPT, DATA or BDAT, and a reply for each recipient.
#include <fmt/format.h>

#include <algorithm>

#include "smtp/client.hpp"

namespace pinnace::smtp {
namespace {

bool has_control(std::string_view s) {
  return std::any_of(s.begin(), s.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

}  // namespace

// What the server cannot take must not be sent to it.
std::optional<Reply> Client::refusal(const OutgoingEnvelope& envelope) const {
  const auto& to = envelope.recipients;
  if (has_control(envelope.reverse_path) ||
      std::any_of(to.begin(), to.end(), [](const OutgoingRecipient& r) { return has_control(r.address); })) {
    return Reply::make(553, "5.1.3 an address has a control character, and would be read as a command");
  }
  // RFC 6531 3.2
  if (envelope.smtputf8 && !capabilities_.has("SMTPUTF8")) {
    return Reply::make(550, "5.6.7 the message needs SMTPUTF8, which the receiving server does not offer");
  }
  // RFC 8689 4.2.1: whoever sends chose a server that offers it; this is the last place to see that he did
  // not. RFC 8689 5: a bounce goes all the same.
  if (envelope.requiretls && !envelope.reverse_path.empty() && !offers_requiretls()) {
    return Reply::make(
        550, "5.7.30 the message requires TLS on its whole way, and the receiving server has no REQUIRETLS");
  }
  // RFC 3030 3: binary data only by BDAT, and only to a server that says it takes them.
  if (envelope.body_binary && !(can_chunk(envelope) && capabilities_.has("BINARYMIME"))) {
    return Reply::make(
        550, "5.6.3 the message has binary text, which the receiving server does not take (no BINARYMIME)");
  }
  // RFC 6152 3
  if (envelope.body_8bit && !envelope.body_binary && !capabilities_.has("8BITMIME")) {
    return Reply::make(
        550, "5.6.3 the message has 8-bit text, which the receiving server does not take (no 8BITMIME)");
  }
  // RFC 1870 6.1
  if (const auto limit = capabilities_.size_limit(); limit && envelope.size > *limit) {
    return Reply::make(552, "5.3.4 the message is larger than the receiving server takes");
  }
  return std::nullopt;
}

// RFC 3030 2: only a server that offers it knows BDAT, and where a chunk ends.
bool Client::can_chunk(const OutgoingEnvelope& envelope) const {
  return envelope.chunking && capabilities_.has("CHUNKING");
}

void Client::begin(OutgoingEnvelope envelope) {
  envelope_ = std::move(envelope);
  results_.assign(envelope_.recipients.size(), Reply{});
  next_rcpt_ = rcpt_reply_ = accepted_ = answered_ = 0;
  mail_asked_ = mail_ok_ = answered_early_ = false;
  chunking_ = can_chunk(envelope_);
  chunk_refusal_.reset();
  if (const auto refused = refusal(envelope_); refused || envelope_.recipients.empty()) {
    return finish(refused.value_or(Reply{}));
  }
  if (!std::exchange(needs_reset_, false)) return send_group();
  ask(Asked::rset, "RSET");
}

void Client::take_rset(Reply reply) {
  if (reply.completed()) return send_group();
  fail(Failure::Why::protocol, "the server refuses RSET", std::move(reply));
}

std::string Client::mail_line() const {
  std::string line = fmt::format("MAIL FROM:<{}>", envelope_.reverse_path);
  if (capabilities_.has("SIZE") && envelope_.size > 0) line += fmt::format(" SIZE={}", envelope_.size);
  if (envelope_.body_binary) {
    line += " BODY=BINARYMIME";
  } else if (envelope_.body_8bit) {
    line += " BODY=8BITMIME";
  }
  if (envelope_.smtputf8) line += " SMTPUTF8";
  // RFC 8689 2: only inside TLS, to a server that offered it there.
  if (envelope_.requiretls && offers_requiretls()) line += " REQUIRETLS";
  if (capabilities_.has("DSN")) line += envelope_.dsn.parameters();
  return line;
}

std::string Client::rcpt_line(const OutgoingRecipient& to) const {
  std::string line = fmt::format("RCPT TO:<{}>", to.address);
  if (capabilities_.has("DSN")) line += to.dsn.parameters(envelope_.smtputf8);
  return line;
}

// RFC 2920 3.1: MAIL, RCPT and DATA may go together, DATA last. RFC 3030 2: a server that pipelines is ready
// for chunks behind what it refuses, and drops them: so a text of one chunk goes with them. Not in LMTP,
// where how many replies follow the last chunk is known by those to RCPT (RFC 2033 4.3).
void Client::send_group() {
  const std::size_t most = capabilities_.has("PIPELINING") ? kGroup : 1;
  while (asked_.size() < most && state_ != State::failed) {
    if (!mail_asked_) {
      mail_asked_ = true;
      ask(Asked::mail, mail_line());
    } else if (next_rcpt_ < envelope_.recipients.size()) {
      ask(Asked::rcpt, rcpt_line(envelope_.recipients[next_rcpt_++]));
    } else if (!chunking_) {
      return ask(Asked::data, "DATA");
    } else {
      const bool with_it = envelope_.one_chunk && most > 1 && protocol_ == Protocol::smtp;
      if (asked_.empty() || with_it) state_ = State::text;
      return;
    }
  }
}

// A reply was taken: more of the group are due, or the next group, or nobody is left to send to.
void Client::go_on() {
  if (!asked_.empty()) return;
  if (mail_ok_ && (accepted_ > 0 || next_rcpt_ < envelope_.recipients.size())) return send_group();
  needs_reset_ = mail_ok_;
  state_ = State::done;
}

void Client::take_mail(const Reply& reply) {
  mail_ok_ = reply.completed();
  if (!mail_ok_) results_.assign(results_.size(), reply);
  go_on();
}

void Client::take_rcpt(Reply reply) {
  if (closing_) return finish(reply);
  if (reply.completed() && mail_ok_) ++accepted_;
  // Where MAIL was refused, that is why, and not that RCPT then comes out of turn.
  if (mail_ok_) results_[rcpt_reply_] = std::move(reply);
  ++rcpt_reply_;
  go_on();
}

void Client::take_data(Reply reply) {
  if (reply.code == 354 && accepted_ > 0) {
    state_ = State::text;
  } else if (reply.code == 354 && protocol_ == Protocol::lmtp) {
    // RFC 2033 4.2: it must refuse DATA where it refused every recipient; what follows the text of one that
    // does not, nobody knows.
    closing_ = true;
    finish(reply);
  } else if (reply.code == 354) {
    // RFC 2920 3.1: DATA went with recipients who were all refused then. The server that goes on all the
    // same gets an empty message, which it must refuse.
    ask(Asked::text, ".");
  } else if (reply.positive()) {
    fail(Failure::Why::protocol, "the server neither takes nor refuses DATA", std::move(reply));
  } else {
    needs_reset_ = mail_ok_;
    finish(reply);
  }
}

// RFC 3030 2: after a chunk that was refused nothing more is sent, and what is under way is refused too.
void Client::take_chunk(Reply reply) {
  if (closing_) return finish(reply);
  if (answered_early_ && reply.positive()) {
    fail(Failure::Why::protocol, "the server takes a chunk before its end", std::move(reply));
    return;
  }
  if (!reply.completed()) {
    if (!chunk_refusal_) chunk_refusal_ = std::move(reply);
    if (state_ == State::text) state_ = State::talking;
  } else if (!chunk_refusal_ && !waits_for(Asked::text)) {
    state_ = State::text;
  }
  if (chunk_refusal_ && asked_.empty()) {
    needs_reset_ = true;
    finish(*chunk_refusal_);
  }
}

// Nothing was asked: while the text is being sent, or when the connection has ended.
void Client::take_early(Reply reply) {
  if (state_ == State::text && !reply.positive()) {
    closing_ = true;  // the text has no end now
    return finish(reply);
  }
  if (reply.code == 421) {
    fail(Failure::Why::lost, "the server is closing", std::move(reply));
  } else {
    fail(Failure::Why::protocol, "the server says something before it is asked", std::move(reply));
  }
}

// The transaction is over, with this reply for all who were not refused before.
void Client::finish(const Reply& reply) {
  for (Reply& r : results_) {
    if (r.code == 0 || r.completed()) r = reply;
  }
  asked_.clear();
  state_ = State::done;
}

void Client::body_sent() {
  answered_early_ = parser_.pending();
  ask_text();
}

// RFC 2033 4.2, 4.3: LMTP answers to the text for each recipient that it accepted, in the order of RCPT.
void Client::ask_text() {
  asked_.insert(asked_.end(), protocol_ == Protocol::lmtp ? accepted_ : 1, Asked::text);
  state_ = State::talking;
}

std::string Client::chunk_head(std::size_t octets, bool last) {
  return std::exchange(out_, {}) + fmt::format("BDAT {}{}\r\n", octets, last ? " LAST" : "");
}

void Client::chunk_sent(bool last) {
  answered_early_ = answered_early_ || (asked_.empty() && parser_.pending());
  if (last) return ask_text();
  asked_.push_back(Asked::chunk);
  // Replies to commands and to chunks come in their order; only a server that pipelines is sent more before.
  // LMTP: nobody says how often a last chunk is answered behind one that was refused.
  const bool more = protocol_ == Protocol::smtp && capabilities_.has("PIPELINING");
  const std::size_t most = more ? kChunks : 1;
  state_ = asked_.size() >= most ? State::talking : State::text;
}

bool Client::waits_for(Asked what) const {
  return std::find(asked_.begin(), asked_.end(), what) != asked_.end();
}

// The whole text is out, and MAIL and a recipient are accepted, or not answered yet.
bool Client::may_have_it() const {
  const bool refused = !mail_ok_ && !waits_for(Asked::mail);
  return waits_for(Asked::text) && !refused && (accepted_ > 0 || waits_for(Asked::rcpt));
}

// RFC 2033 4.2: each reply decides about one recipient for good.
void Client::take_recipient_end(Reply reply) {
  if (answered_early_ && reply.positive()) {
    fail(Failure::Why::protocol, "the server takes a message before its end", std::move(reply));
    failure_.unanswered = true;
    return;
  }
  needs_reset_ = needs_reset_ || (chunking_ && !reply.completed());
  while (!results_[answered_].completed()) ++answered_;  // refused at RCPT
  results_[answered_++] = std::move(reply);
  if (!asked_.empty()) return;
  answered_ = 0;
  state_ = State::done;
}

// RFC 2033 4.2: whoever is answered is, whatever becomes of the session; for the others the message is sent
// again later.
void Client::leave_unanswered(std::string_view why) {
  for (; answered_ < results_.size(); ++answered_) {
    if (!results_[answered_].completed()) continue;
    results_[answered_] =
        Reply::make(451, fmt::format("4.4.2 no answer for this recipient after the text was sent: {}", why));
  }
  answered_ = 0;
  closing_ = true;
  asked_.clear();
  out_.clear();
  state_ = State::done;
}

void Client::take_end(Reply reply) {
  // A server that refused in the middle may have read the rest as commands, and answer those too.
  closing_ = closing_ || answered_early_;
  if (protocol_ == Protocol::lmtp) return take_recipient_end(std::move(reply));
  if (chunking_) {
    // RFC 3030 2: what state a refused BDAT leaves is not known.
    needs_reset_ = accepted_ == 0 || chunk_refusal_ || !reply.completed();
    if (chunk_refusal_) return finish(*chunk_refusal_);
  }
  if (!answered_early_ || !reply.positive()) return finish(reply);
  fail(Failure::Why::protocol, "the server takes a message before its end", std::move(reply));
  failure_.unanswered = true;
}

}  // namespace pinnace::smtp
