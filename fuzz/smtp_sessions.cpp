// A client's session and a server's against each other, over a wire that cuts anywhere, and before TLS
// with somebody on it who adds what he likes. What must hold whatever he adds:
//   what the server takes inside TLS is what the client sent there, each message once;
//   a client that must have TLS says no word of a message before it;
//   the server asks for a text only behind a recipient it accepted, and does nothing after its end.
// And where nobody is on the wire: what the client takes for delivered, the server has.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "smtp/client.hpp"
#include "smtp/dot.hpp"
#include "smtp/server.hpp"

using namespace pinnace::smtp;

namespace {

void hold(bool what) {
  if (!what) std::abort();
}

// The input as a series of decisions; at its end all of them are 0.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  std::size_t below(std::size_t n) { return at_ == end_ ? 0 : *at_++ % n; }
  bool one_in(std::size_t n) { return at_ != end_ && below(n) == n - 1; }
  bool done() const { return at_ == end_; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

struct Message {
  std::string from;
  std::vector<std::string> to;
  std::string text;
};

class Sessions {
 public:
  explicit Sessions(Choices choices)
      : choices_(choices),
        must_(choices_.below(2) == 1),
        attacked_(choices_.below(2) == 1),
        client_("relay.test", must_ ? Client::Tls::required : Client::Tls::opportunistic),
        server_(options()) {}

  void run() {
    for (int turns = 0; turns < 200'000; ++turns) {
      if (attacked_ && !client_.in_tls() && !server_.in_tls() && choices_.one_in(4)) attack();
      const bool client_moved = !client_ended_ && step_client();
      const bool server_moved = !server_ended_ && step_server();
      if (client_ended_ && server_ended_) return judge();
      if (client_moved || server_moved) continue;
      if (client_shakes_ && server_shakes_ && to_server_.empty() && to_client_.empty()) {
        shake();
      } else {
        hang_up();  // both wait, or a handshake meets what is none
      }
    }
    std::abort();
  }

 private:
  ServerOptions options() {
    ServerOptions options;
    options.hostname = "mx.test";
    options.starttls = choices_.below(4) > 0;
    options.chunking = choices_.below(2) == 1;
    options.max_message_size = 5000;
    return options;
  }

  // To either side, in pieces that the other could have said.
  void attack() {
    static const std::array<std::string, 14> kSaid = {"STARTTLS\r\n",
                                                      "220 go\r\n",
                                                      "250 ok\r\n",
                                                      "250-mx.test\r\n250 STARTTLS\r\n",
                                                      "250-mx.test\r\n250-CHUNKING\r\n250 X\r\n",
                                                      "354 go\r\n",
                                                      "EHLO evil\r\n",
                                                      "MAIL FROM:<evil@x.test>\r\n",
                                                      "RCPT TO:<evil@y.test>\r\n",
                                                      "DATA\r\nevil\r\n.\r\n",
                                                      "BDAT 4 LAST\r\nevil",
                                                      "\r\n.\r\n",
                                                      "421 bye\r\n",
                                                      "5"};
    (choices_.below(2) ? to_client_ : to_server_) += kSaid[choices_.below(kSaid.size())];
  }

  void shake() {
    client_shakes_ = server_shakes_ = false;
    server_.tls_established();
    client_.tls_established();
  }

  void hang_up() {
    if (client_shakes_ || hung_up_) client_ended_ = true;
    if (server_shakes_ || hung_up_) server_ended_ = true;
    hung_up_ = true;
    client_.peer_closed();
    server_.peer_closed();
  }

  std::string take(std::string& wire) {
    const std::size_t n = std::min<std::size_t>(wire.size(), 1 + choices_.below(200));
    std::string octets = wire.substr(0, n);
    wire.erase(0, n);
    return octets;
  }

  void say(std::string_view octets) {
    // RFC 3207 4.2
    hold(!must_ || client_.in_tls() ||
         (octets.find("MAIL") == octets.npos && octets.find("secret") == octets.npos));
    if (!server_ended_) to_server_ += octets;
  }

  bool step_client() {
    if (client_shakes_) return false;
    const Client::Action action = client_.next();
    switch (action.kind) {
      case Client::Kind::send:
        say(action.bytes);
        return true;
      case Client::Kind::read:
        if (to_client_.empty() && server_ended_) client_.peer_closed();
        if (to_client_.empty()) return server_ended_;
        client_.receive(take(to_client_));
        return true;
      case Client::Kind::start_tls:
        hold(!client_.in_tls());
        client_shakes_ = true;
        return true;
      case Client::Kind::ready:
        begin();
        return true;
      case Client::Kind::send_body:
        send_text();
        return true;
      case Client::Kind::done:
        finish();
        return true;
      case Client::Kind::failed:
      case Client::Kind::closed:
        hold(client_.next().kind == action.kind);
        client_ended_ = true;
        return true;
    }
    std::abort();
  }

  void begin() {
    hold(!must_ || client_.in_tls());
    if (sent_.size() == 3 || !client_.reusable()) return client_.quit();
    const std::string number = std::to_string(sent_.size());
    Message message{"a" + number + "@x.test", {}, "secret " + number + "\r\n"};
    for (std::size_t n = choices_.below(3) + 1; n > 0; --n)
      message.to.push_back("b" + std::to_string(n) + "@y.test");
    static const std::array<std::string, 6> kLines = {"\r\n",     ".\r\n", "..\r\n",
                                                      "DATA\r\n", "x\r\n", ".a\r\n"};
    for (std::size_t n = choices_.below(30); n > 0; --n)
      message.text += kLines[choices_.below(kLines.size())];
    OutgoingEnvelope envelope;
    envelope.reverse_path = message.from;
    for (const std::string& to : message.to) envelope.recipients.emplace_back(to);
    envelope.size = choices_.below(2) ? message.text.size() : 0;
    envelope.one_chunk = choices_.below(2) == 1;
    one_chunk_ = envelope.one_chunk;
    sent_.push_back(std::move(message));
    said_ = 0;
    client_.begin(std::move(envelope));
  }

  void send_text() {
    const std::string& text = sent_.back().text;
    if (client_.chunking()) {
      const std::size_t left = text.size() - said_;
      const std::size_t n = one_chunk_ ? left : std::min(left, 1 + choices_.below(100));
      const bool last = said_ + n == text.size();
      say(client_.chunk_head(n, last) + text.substr(said_, n));
      said_ += n;
      return client_.chunk_sent(last);
    }
    DotWriter dots;
    std::string wire;
    hold(dots.write(text, wire) && dots.finish(wire));
    say(wire);
    client_.body_sent();
  }

  void finish() {
    const Message& message = sent_.back();
    hold(client_.results().size() == message.to.size());
    for (std::size_t i = 0; i < message.to.size(); ++i) {
      const Reply& reply = client_.results()[i];
      hold(reply.code >= 200 && reply.code < 600 && reply.code / 100 != 3);
      if (reply.completed()) delivered_.insert({message.from, message.to[i]});
    }
  }

  bool step_server() {
    if (server_shakes_) return false;
    const Server::Action action = server_.next();
    switch (action.kind) {
      case Server::Kind::send:
        hold(action.bytes.ends_with("\r\n"));
        if (!client_ended_) to_client_ += action.bytes;
        return true;
      case Server::Kind::read:
        if (to_server_.empty() && client_ended_) server_.peer_closed();
        if (to_server_.empty()) return client_ended_;
        server_.receive(take(to_server_));
        return true;
      case Server::Kind::start_tls:
        hold(!server_.in_tls());
        server_shakes_ = true;
        return true;
      case Server::Kind::auth:
      case Server::Kind::xclient:
        break;  // not offered
      case Server::Kind::mail:
        taking_ = {action.path->path, {}, {}};
        return answer(250, 550, 10);
      case Server::Kind::rcpt:
        if (choices_.one_in(5)) return answer(550, 550, 1);
        taking_.to.push_back(action.path->path);
        return answer(250, 250, 1);
      case Server::Kind::data:
        hold(!taking_.to.empty() && !in_text_);
        in_text_ = true;
        return answer(354, 451, 10);
      case Server::Kind::body:
        hold(in_text_ && !action.bytes.empty());
        taking_.text += action.bytes;
        return true;
      case Server::Kind::body_end:
        hold(in_text_);
        return end_text();
      case Server::Kind::reset:
        taking_ = {};
        in_text_ = false;
        return true;
      case Server::Kind::close:
        hold(server_.next().kind == Server::Kind::close);
        server_ended_ = true;
        return true;
    }
    std::abort();
  }

  bool answer(int code, int other, std::size_t rarely) {
    const int said = rarely > 1 && choices_.one_in(rarely) ? other : code;
    if (said == 451) in_text_ = false;
    server_.answer(Reply::make(said, "so"));
    return true;
  }

  bool end_text() {
    in_text_ = false;
    const int code = choices_.one_in(6) ? 451 : 250;
    if (code == 250) {
      if (server_.in_tls() || !attacked_) check(taking_);
      taken_.push_back(taking_);
    }
    taking_ = {};
    server_.answer(Reply::make(code, "so"));
    return true;
  }

  // It is one that the client sent, to recipients of its own, and comes once.
  void check(const Message& taken) {
    hold(!must_ || server_.in_tls());
    bool found = false;
    for (const Message& sent : sent_) {
      if (sent.from != taken.from) continue;
      found = sent.text == taken.text;
      for (const std::string& to : taken.to) {
        found = found && std::find(sent.to.begin(), sent.to.end(), to) != sent.to.end();
        hold(once_.insert({sent.from, to}).second);
      }
    }
    hold(found);
  }

  void judge() {
    if (attacked_) return;
    for (const auto& [from, to] : delivered_) {
      bool has = false;
      for (const Message& m : taken_)
        has = has || (m.from == from && std::find(m.to.begin(), m.to.end(), to) != m.to.end());
      hold(has);
    }
  }

  Choices choices_;
  bool must_;
  bool attacked_;
  Client client_;
  Server server_;
  std::string to_server_, to_client_;
  bool client_shakes_ = false, server_shakes_ = false;
  bool client_ended_ = false, server_ended_ = false, hung_up_ = false;
  std::vector<Message> sent_, taken_;
  std::size_t said_ = 0;
  bool one_chunk_ = false, in_text_ = false;
  Message taking_;
  std::set<std::pair<std::string, std::string>> delivered_, once_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Sessions(Choices(data, size)).run();
  return 0;
}
