// A client session against a server that says anything: it ends, and TLS is never begun with
// octets left over from before.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/client.hpp"

using namespace pinnace::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Client client("relay.test", data[0] & 1 ? Client::Tls::required : Client::Tls::opportunistic);
  const std::size_t step = data[0] / 2 % 64 + 1;
  std::string_view left(reinterpret_cast<const char*>(data) + 1, size - 1);
  int transactions = 0;
  for (int turns = 0; turns < 1'000'000; ++turns) {
    const auto action = client.next();
    switch (action.kind) {
      case Client::Kind::send:
        break;
      case Client::Kind::read:
        if (left.empty()) {
          client.peer_closed();
        } else {
          client.receive(left.substr(0, step));
          left.remove_prefix(std::min(step, left.size()));
        }
        break;
      case Client::Kind::start_tls:
        client.tls_established();
        break;
      case Client::Kind::ready:
        if (data[0] & 1 && !client.in_tls()) std::abort();
        if (++transactions > 3 || !client.reusable()) {
          client.quit();
        } else {
          client.begin({"a@x.test", {"b@y.test", "c@y.test"}, 10, false, false});
        }
        break;
      case Client::Kind::send_body:
        client.body_sent();
        break;
      case Client::Kind::done:
        for (const Reply& r : client.results()) {
          if (r.code < 200 || r.code > 599) std::abort();
        }
        break;
      case Client::Kind::failed:
      case Client::Kind::closed:
        return 0;
    }
  }
  std::abort();
}
