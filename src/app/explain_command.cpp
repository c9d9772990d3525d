// `pinnace explain RECIPIENT`: the reasoning as a tree.
#include <fmt/format.h>

#include "app/explanation.hpp"
#include "app/lookups.hpp"
#include "app/offline_input.hpp"
#include "app/service_answer.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

struct Node {
  std::string text;
  std::vector<Node> below;
};

void print(const Node& node, const std::string& margin) {
  for (std::size_t i = 0; i < node.below.size(); ++i) {
    const bool last = i + 1 == node.below.size();
    fmt::print("{}{}{}\n", margin, last ? "└─ " : "├─ ", printable(node.below[i].text));
    print(node.below[i], margin + (last ? "   " : "│  "));
  }
}

std::string joined(const json::value& object, std::string_view key) {
  std::string out;
  for (const auto& item : object.at(key).as_array())
    out += (out.empty() ? "" : " ") + std::string(item.as_string());
  return out.empty() ? "none" : out;
}

Node mx_node(const json::value& mx) {
  const std::string kind = str(mx, "kind"), detail = str(mx, "detail");
  if (kind == "hosts" || kind == "implicit") {
    return {
        fmt::format("MX: {}{} (DNSSEC: {})", kind == "implicit" ? "none, the domain is its own host: " : "",
                    joined(mx, "hosts"), str(mx, "dnssec")),
        {}};
  }
  return {fmt::format("MX: {} ({})", kind, detail), {}};
}

Node sts_node(const json::value& sts) {
  const std::string detail = str(sts, "detail");
  if (str(sts, "kind") != "policy")
    return {"MTA-STS: " + str(sts, "kind") + (detail.empty() ? "" : ", " + detail), {}};
  Node out{fmt::format("MTA-STS: mode {}, id {}", str(sts, "mode"), str(sts, "id")), {}};
  out.below.push_back({"mx: " + joined(sts, "mx"), {}});
  out.below.push_back(
      {fmt::format("fetched {}, in force until {}", str(sts, "fetched"), str(sts, "expires")), {}});
  if (!detail.empty()) out.below.push_back({detail, {}});
  return out;
}

Node tlsa_node(const json::value& tlsa) {
  const std::string kind = str(tlsa, "kind"), detail = str(tlsa, "detail");
  Node out{kind == "records" ? "TLSA at " + str(tlsa, "base")
                             : "TLSA: " + kind + (detail.empty() ? "" : ", " + detail),
           {}};
  for (const auto& record : tlsa.at("records").as_array()) {
    const bool usable = record.at("usable").as_bool();
    out.below.push_back(
        {str(record, "record") + (usable ? "" : "  unusable: " + str(record, "problem")), {}});
  }
  return out;
}

void add_limits(Node& node, const json::value& limited) {
  const auto* limits = limited.as_object().if_contains("limits");
  if (!limits) return;
  for (const auto& one : limits->as_array())
    node.below.push_back({"limit: " + std::string(one.as_string()), {}});
}

Node decision_node(const json::value& decision) {
  Node out{fmt::format("decision: TLS {}; named as the domain's host: {}; policy: {}", str(decision, "tls"),
                       str(decision, "mx"), str(decision, "policy")),
           {}};
  for (const auto& r : decision.at("requirements").as_array()) {
    out.below.push_back({fmt::format("{} {}: {}", r.at("enforced").as_bool() ? "must" : "test",
                                     str(r, "source"), str(r, "sentence")),
                         {}});
  }
  for (const auto& n : decision.at("notes").as_array())
    out.below.push_back({"note " + std::string(n.as_string()), {}});
  return out;
}

Node host_node(const json::value& host) {
  const bool usable = host.at("usable").as_bool();
  Node out{str(host, "host") + (usable ? "" : "  MUST NOT BE USED NOW"), {}};
  const json::object& o = host.as_object();
  if (o.contains("addresses")) {
    out.below.push_back(
        {fmt::format("addresses: {} (DNSSEC: {})", joined(host, "addresses"), str(host, "dnssec")), {}});
    out.below.push_back(tlsa_node(host.at("tlsa")));
  }
  add_limits(out, host);
  if (o.contains("decision")) out.below.push_back(decision_node(host.at("decision")));
  if (!usable) out.below.push_back({"why: " + str(host, "problem"), {}});
  return out;
}

// Where Postfix asks a policyd.
Node postfix_node(const json::value& told) {
  Node out{"Postfix is told: " + str(told, "told"), {}};
  out.below.push_back({"for: " + str(told, "reason"), {}});
  if (const auto* notes = told.as_object().if_contains("notes")) {
    for (const auto& note : notes->as_array())
      out.below.push_back({"note " + std::string(note.as_string()), {}});
  }
  return out;
}

void show(const json::value& answer) {
  Node root{str(answer, "recipient"), {}};
  const json::object& all = answer.as_object();
  if (all.contains("route") && all.at("route").is_string()) {
    // Neither the MX nor the MTA-STS policy was asked for.
    root.below.push_back({"route: " + str(answer, "route"), {}});
  } else {
    root.below.push_back(mx_node(answer.at("mx")));
    root.below.push_back(sts_node(answer.at("sts")));
  }
  add_limits(root, answer);
  for (const auto& host : answer.at("hosts").as_array()) root.below.push_back(host_node(host));
  root.below.push_back({str(answer, "verdict"), {}});
  root.below.push_back(postfix_node(answer.at("postfix")));
  fmt::print("{}{}\n", printable(root.text),
             str(answer, "wish") == "-" ? "" : "  (" + str(answer, "wish") + ")");
  print(root, "");
}

}  // namespace

int explain(const ExplainRequest& request) {
  const auto question = read_question(request.recipient, request.requiretls, request.tls_required_no);
  if (!question) return usage(question.error().detail);
  if (!request.config.empty()) {
    auto answer = look_up(request.config, [&](Lookups& lookups) {
      const std::uint16_t port = lookups.config.delivery.port;
      return explain({lookups.loop, lookups.clock, lookups.gatherer, port, nullptr}, *question, {});
    });
    return show_answer(answer, request.service.json, show);
  }
  return ask_and_show(request.service,
                      {{"command", "policy.explain"},
                       {"recipient", question->recipient},
                       {"requiretls", request.requiretls},
                       {"tls_required_no", request.tls_required_no}},
                      show);
}

}  // namespace pinnace::app
