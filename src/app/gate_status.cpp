#include "app/gate_status.hpp"

#include <algorithm>

namespace pinnace::app {
namespace {

namespace json = boost::json;

json::object tally_json(const gate::Tally& t) {
  return {{"messages", t.messages},
          {"plain", t.plain},
          {"tls_1_2", t.tls12},
          {"tls_1_3", t.tls13},
          {"aes_gcm", t.aes_gcm},
          {"chacha20", t.chacha20},
          {"other_ciphers", t.other_cipher},
          {"client_certificate", t.client_certificate}};
}

}  // namespace

json::array backends_json(const gate::Gate& gate) {
  json::array out;
  for (const auto& one : gate.backends())
    out.push_back({{"endpoint", one.at.str()}, {"up", one.up}, {"why", one.why}});
  return out;
}

base::Result<json::value> senders_json(const gate::Gate& gate, const json::object& request) {
  constexpr std::int64_t kDefault = 50, kMost = 10'000;
  const auto* asked = request.if_contains("most");
  const auto most = static_cast<std::size_t>(
      std::clamp(asked && asked->is_int64() ? asked->as_int64() : kDefault, std::int64_t{1}, kMost));
  json::array senders;
  for (const gate::Senders::Sender& sender : gate.senders().top(most)) {
    json::object one = tally_json(sender.tally);
    one["domain"] = sender.domain;
    senders.emplace_back(std::move(one));
  }
  return json::object{{"senders", std::move(senders)}, {"others", tally_json(gate.senders().others(most))}};
}

}  // namespace pinnace::app
