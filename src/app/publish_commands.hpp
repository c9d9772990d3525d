// `pinnace publish`: what belongs in the DNS and on web servers beside a gate, and whether it is there.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace pinnace::app {

struct PublishRequest {
  std::string config = "/etc/pinnace/gate.toml";
  std::vector<std::string> domains;  // of the configuration's; empty: all
  std::string format = "zone", ttl = "1h", step = "add";
  std::string out;  // folder
  bool json = false, no_color = false;
};

// `code` becomes the process's exit code. Both outlive the parsing.
void add_publish_commands(CLI::App& root, PublishRequest& request, int& code);

// 0 good, 1 warnings, 2 mail would be held, 3 usage and own errors; as `pinnace check`
int publish_records(const PublishRequest& request);
int publish_check(const PublishRequest& request);
int publish_sts(const PublishRequest& request);
int publish_nginx(const PublishRequest& request);
int publish_haraka(const PublishRequest& request);

}  // namespace pinnace::app
