// A client session, of SMTP and of LMTP, against a server that says anything, also while the text is sent: it
// ends; TLS is begun only after a 220 with nothing behind it; nobody is taken for delivered without a 2yz;
// and what is sent is whole lines, a chunk's head the last of them.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/client.hpp"

using namespace pinnace::smtp;

namespace {

void converse(const std::uint8_t* data, std::size_t size, Client::Protocol protocol) {
  Client client("relay.test", data[0] & 1 ? Client::Tls::required : Client::Tls::opportunistic, protocol);
  const std::size_t step = data[0] / 2 % 64 + 1;
  std::string_view left(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto hear = [&] {
    const std::string_view part = left.substr(0, step);
    client.receive(part);
    left.remove_prefix(part.size());
    return part;
  };
  std::string_view last;
  int transactions = 0, chunks = 0;
  for (int turns = 0; turns < 1'000'000; ++turns) {
    const auto action = client.next();
    switch (action.kind) {
      case Client::Kind::send:
        if (!action.bytes.ends_with("\r\n")) std::abort();
        break;
      case Client::Kind::read:
        if (left.empty()) {
          client.peer_closed();
        } else {
          last = hear();
        }
        break;
      case Client::Kind::start_tls:
        if (!last.ends_with('\n') || client.in_tls()) std::abort();
        client.tls_established();
        break;
      case Client::Kind::ready:
        if (data[0] & 1 && !client.in_tls()) std::abort();
        if (++transactions > 3 || !client.reusable()) {
          client.quit();
        } else {
          OutgoingEnvelope envelope{"a@x.test", {"b@y.test", "c@y.test"}, 10, false,
                                    false,      (data[0] & 64) != 0};
          envelope.one_chunk = transactions % 2 == 1;
          chunks = envelope.one_chunk ? 1 : 20;
          client.begin(std::move(envelope));
        }
        break;
      case Client::Kind::send_body:
        if (data[0] & 128 && !left.empty()) hear();
        if (client.chunking()) {
          if (chunks == 0) std::abort();
          if (!client.chunk_head(5, --chunks == 0).ends_with(chunks == 0 ? "BDAT 5 LAST\r\n" : "BDAT 5\r\n"))
            std::abort();
          client.chunk_sent(chunks == 0);
        } else {
          client.body_sent();
        }
        break;
      case Client::Kind::done:
        for (const Reply& r : client.results()) {
          if (r.code < 200 || r.code > 599 || r.code / 100 == 3) std::abort();
        }
        break;
      case Client::Kind::failed:
      case Client::Kind::closed:
        return;
    }
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  converse(data, size, Client::Protocol::smtp);
  converse(data, size, Client::Protocol::lmtp);
  return 0;
}
