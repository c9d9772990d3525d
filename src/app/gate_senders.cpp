#include "app/gate_senders.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "app/service_answer.hpp"

namespace pinnace::app {
namespace {

namespace json = boost::json;

constexpr const char* kColumns[] = {"messages", "plain",    "tls_1_2",       "tls_1_3",
                                    "aes_gcm",  "chacha20", "other_ciphers", "client_certificate"};

void print_line(const json::value& tally, std::string_view domain) {
  std::string line;
  for (const char* column : kColumns) line += fmt::format("{:>9} ", str(tally, column));
  fmt::print("{} {}\n", line, domain);
}

void show(const json::value& answer) {
  fmt::print("{:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}  {}\n", "messages", "plain", "TLS 1.2",
             "TLS 1.3", "AES-GCM", "CHACHA20", "others", "cert", "sender domain");
  for (const json::value& sender : answer.at("senders").as_array()) {
    const std::string domain = tamed(sender, "domain");
    print_line(sender, domain.empty() || domain == "-" ? "<>" : domain);
  }
  print_line(answer.at("others"), "(all others)");
}

}  // namespace

void add_senders_command(CLI::App& gate, int& code) {
  struct Asked {
    Service service;
    std::int64_t most = 50;
  };
  auto asked = std::make_shared<Asked>();
  const char* set = std::getenv("PINNACE_CONTROL");
  asked->service.control = set ? set : "/run/pinnace/gate.sock";
  auto* senders =
      gate.add_subcommand("senders", "How mail comes in, by sender domain: encrypted or not, and how");
  senders->add_option("--control", asked->service.control, "The running gate's control socket")
      ->capture_default_str();
  senders->add_option("--top", asked->most, "So many domains; the others are summed up")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  senders->add_flag("--json", asked->service.json, "Answer in JSON, for programs");
  senders->callback([asked, &code] {
    code = ask_and_show(asked->service, {{"command", "gate.senders"}, {"most", asked->most}}, show);
  });
}

}  // namespace pinnace::app
