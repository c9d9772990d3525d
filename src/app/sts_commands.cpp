// `pinnace sts list|forget`: the MTA-STS policies that the running relay holds.
#include <fmt/format.h>

#include "app/service_answer.hpp"

namespace pinnace::app {
namespace json = boost::json;

int sts_list(const Service& service) {
  return ask_and_show(service, {{"command", "sts.list"}}, [](const json::value& answer) {
    for (const auto& policy : answer.as_array()) {
      std::string mx;
      for (const auto& pattern : policy.at("mx").as_array()) mx += " " + std::string(pattern.as_string());
      fmt::print("{}  mode {}  id {}  until {}{}  mx{}\n", str(policy, "domain"), str(policy, "mode"),
                 tamed(policy, "id"), str(policy, "expires"),
                 policy.at("expired").as_bool() ? " (expired)" : "", mx.empty() ? " none" : mx);
    }
    if (answer.as_array().empty()) fmt::print("no policy is held\n");
  });
}

int sts_forget(const Service& service, const std::string& domain) {
  return ask_and_show(service, {{"command", "sts.forget"}, {"domain", domain}},
                      [](const json::value& answer) {
                        fmt::print("forgotten: the policy of {}\n", str(answer, "forgotten"));
                      });
}

}  // namespace pinnace::app
