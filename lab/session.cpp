#include "session.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace lab {
namespace {

bool is_verb(std::string_view line, std::string_view verb) {
  return line.size() >= verb.size() && strncasecmp(line.data(), verb.data(), verb.size()) == 0;
}

// All lines of one reply, or none when the receiver is gone.
std::optional<std::vector<std::string>> read_reply(Wire& wire) {
  std::vector<std::string> lines;
  while (auto line = wire.read_line()) {
    lines.push_back(*line);
    if (line->size() < 4 || (*line)[3] != '-') return lines;
  }
  return std::nullopt;
}

// A reply of these lines; each but the last gets the hyphen that says more follow.
std::string to_reply(std::string_view code, const std::vector<std::string>& texts) {
  std::string reply;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    reply += fmt::format("{}{}{}\r\n", code, i + 1 < texts.size() ? '-' : ' ', texts[i]);
  }
  return reply;
}

std::string to_json(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) {
    json += json.size() > 1 ? ",\"" : "\"";
    for (char c : text) {
      if (c == '"' || c == '\\') json += '\\';
      json += c < 0x20 || c == 0x7f ? '?' : c;
    }
    json += '"';
  }
  return json + "]";
}

}  // namespace

void Session::run() {
  switch (settings_.attack->answers) {
    case Answers::nobody:
      client_.read_line();
      return;
    case Answers::receiver_until_reset:
      pass_until_reset();
      return;
    case Answers::receiver_over_own_tls:
      if (!open_upstream()) return;
      break;
    case Answers::attacker:
      break;
  }
  serve();
}

void Session::serve() {
  if (!client_.write(fmt::format("220 {} ESMTP\r\n", settings_.name))) return;
  while (auto line = client_.read_line()) {
    commands_.push_back(*line);
    if (!serve_line(*line)) return;
  }
}

bool Session::serve_line(const std::string& line) {
  if (is_verb(line, "STARTTLS") && !inside_tls_) return start_tls();
  if (is_verb(line, "MAIL") || is_verb(line, "RCPT")) took(line);
  if (upstream_ && inside_tls_) return pass_on(line);
  if (is_verb(line, "EHLO") || is_verb(line, "HELO")) {
    auto shown = inside_tls_ ? ForgedPins::inside_tls : ForgedPins::before_tls;
    return client_.write(ehlo_reply(settings_.attack->forged == shown));
  }
  if (is_verb(line, "DATA")) return take_body();
  if (is_verb(line, "QUIT")) {
    client_.write("221 2.0.0 Bye\r\n");
    return false;
  }
  return client_.write("250 2.0.0 OK\r\n");
}

std::string Session::ehlo_reply(bool forged) const {
  std::vector<std::string> texts{settings_.name, "PIPELINING", "SIZE 52428800", "8BITMIME"};
  if (!inside_tls_ && settings_.attack->starttls != StartTls::hidden) texts.emplace_back("STARTTLS");
  if (forged) texts.insert(texts.end(), settings_.forged.begin(), settings_.forged.end());
  texts.emplace_back("ENHANCEDSTATUSCODES");
  return to_reply("250", texts);
}

bool Session::start_tls() {
  if (settings_.attack->starttls == StartTls::hidden) return client_.write("502 5.5.1 Not known\r\n");
  if (settings_.attack->starttls == StartTls::refused)
    return client_.write("454 4.7.0 TLS not available\r\n");
  std::string reply = "220 2.0.0 Ready\r\n";
  // In one segment with the reply: a sender that keeps its buffer takes this for what the receiver
  // says inside TLS.
  if (settings_.attack->forged == ForgedPins::before_tls) reply += ehlo_reply(true);
  if (!client_.write(reply) || !client_.accept_tls(settings_.server.get())) return false;
  inside_tls_ = true;
  return true;
}

bool Session::take_body() {
  if (!client_.write("354 Go on\r\n")) return false;
  std::size_t octets = 0;
  while (auto line = client_.read_line()) {
    if (*line == ".") {
      took(fmt::format("DATA {} octets", octets));
      return client_.write("250 2.0.0 Taken\r\n");
    }
    octets += line->size() + 2;
  }
  return false;
}

bool Session::open_upstream() {
  auto fd = connect_to(*settings_.forward);
  if (!fd) return false;
  upstream_ = std::make_unique<Wire>(*fd);
  if (!read_reply(*upstream_) || !upstream_->write("EHLO interceptor.test\r\n")) return false;
  if (!read_reply(*upstream_) || !upstream_->write("STARTTLS\r\n")) return false;
  return read_reply(*upstream_) && upstream_->connect_tls(settings_.client.get());
}

bool Session::pass_on(const std::string& line) {
  if (!upstream_->write(line + "\r\n")) return false;
  auto reply = read_reply(*upstream_);
  if (!reply) return false;
  std::vector<std::string> kept;
  for (const std::string& text : *reply) {
    std::string_view rest = std::string_view(text).substr(std::min<std::size_t>(4, text.size()));
    // Nor CHUNKING: it reads what it takes line by line.
    if (!is_verb(rest, "PKP ") && !is_verb(rest, "STSEC ") && rest != "CHUNKING") kept.emplace_back(rest);
  }
  std::string code = reply->back().substr(0, 3);
  if (!client_.write(to_reply(code, kept))) return false;
  if (is_verb(line, "DATA") && code == "354") return pass_body();
  return !is_verb(line, "QUIT");
}

bool Session::pass_body() {
  std::size_t octets = 0;
  while (auto line = client_.read_line()) {
    if (!upstream_->write(*line + "\r\n")) return false;
    if (*line == ".") {
      took(fmt::format("DATA {} octets", octets));
      auto reply = read_reply(*upstream_);
      return reply && client_.write(reply->back() + "\r\n");
    }
    octets += line->size() + 2;
  }
  return false;
}

void Session::pass_until_reset() {
  auto fd = connect_to(*settings_.forward);
  if (!fd) return;
  Wire receiver(*fd);
  std::size_t left = settings_.reset_after;
  pollfd both[2] = {{client_.fd(), POLLIN, 0}, {receiver.fd(), POLLIN, 0}};
  char chunk[16384];
  while (left > 0 && poll(both, 2, 60'000) > 0) {
    bool from_receiver = both[1].revents != 0;
    std::size_t room = from_receiver ? std::min(left, sizeof chunk) : sizeof chunk;
    ssize_t got = recv(both[from_receiver ? 1 : 0].fd, chunk, room, 0);
    if (got <= 0) break;
    std::string_view bytes(chunk, static_cast<std::size_t>(got));
    if (!(from_receiver ? client_ : receiver).write(bytes)) break;
    if (from_receiver) left -= bytes.size();
  }
  if (left > 0) return;  // one side ended it in order
  reset_on_close(client_.fd());
  reset_on_close(receiver.fd());
}

void Session::took(const std::string& what) {
  took_.push_back(what);
  std::ofstream(settings_.record, std::ios::app) << what << '\n';
}

std::string Session::report() const {
  return fmt::format(R"({{"attack":"{}","tls":"{}","commands":{},"took":{}}})", settings_.attack->name,
                     client_.tls(), to_json(commands_), to_json(took_));
}

}  // namespace lab
