// The command line: every command, its options, and where it goes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "app/commands.hpp"
#include "app/gate_commands.hpp"
#include "app/gate_senders.hpp"
#include "app/publish_commands.hpp"
#include "app/report_commands.hpp"
#include "app/services.hpp"
#include "process/confinement.hpp"

namespace {

using namespace pinnace;

std::string default_control(const char* otherwise = "/run/pinnace/relay.sock") {
  const char* set = std::getenv("PINNACE_CONTROL");
  return set ? set : otherwise;
}

void add_service_options(CLI::App* command, app::Service& service) {
  command
      ->add_option(
          "--control", service.control,
          "The running service's control socket, as in its configuration (also from PINNACE_CONTROL)")
      ->capture_default_str();
  command->add_flag("--json", service.json, "Answer in JSON, for programs");
}

void add_selection(CLI::App* command, app::QueueRequest& request) {
  // An empty one, as a script may give it, would select more than was meant.
  const auto said = [](const std::string& text) {
    return text.empty() ? std::string("is empty: say what it shall be, or leave it out") : std::string();
  };
  command->add_option("ID,--id", request.ids, "Messages, as 'queue list' names them");
  command->add_option("--domain", request.domain, "With a recipient in this domain who waits")->check(said);
  command
      ->add_option("--sender", request.sender,
                   "With this reverse-path; '<>' the null one, '@DOMAIN' any of that domain")
      ->check(said);
  command->add_option("--reason", request.reason, "With this text in why a recipient waits")->check(said);
  command->add_option("--older-than", request.older_than, "Here for longer than this: 2h, 3d")->check(said);
  command->add_flag("--held", request.held, "Held by an operator");
}

void add_queue_commands(CLI::App& root, app::QueueRequest& request, int& code) {
  auto* queue = root.add_subcommand("queue", "Look after the mail that a relay holds");
  queue->require_subcommand(1);
  auto* list = queue->add_subcommand("list", "What is queued, why it waits, and when it is tried next");
  add_selection(list, request);
  list->callback([&] { code = app::queue_list(request); });
  auto* show = queue->add_subcommand("show", "One message: every recipient, its last attempt, the reason");
  show->callback([&] { code = app::queue_show(request); });
  auto* text = queue->add_subcommand("export", "Write a message's text to standard output, as it came");
  text->add_flag("--envelope", request.envelope, "With its envelope before it, as X-Envelope fields");
  text->callback([&] { code = app::queue_export(request); });
  for (auto* command : {show, text})
    command->add_option("ID", request.ids, "The message, as 'queue list' names it")->required()->expected(1);
  auto* stats = queue->add_subcommand("stats", "How much is queued: by destination, by reason, and by age");
  stats->add_option("--top", request.top, "So many lines of each")->capture_default_str();
  stats->callback([&] { code = app::queue_stats(request); });
  for (auto* command : {list, show, text, stats}) add_service_options(command, request.service);

  const struct {
    const char* name;
    const char* what;
  } changes[] = {
      {"hold", "Try nothing of these messages until they are released, also after a restart"},
      {"release", "Try held messages again"},
      {"retry", "Try messages now, whatever the schedule says"},
      {"requeue", "Try messages as if they had just come: routes anew, the schedule from its start"},
      {"remove", "Delete messages. No bounce is sent; the relay logs that you did"},
      {"priority", "Change who comes first where much waits for one destination"},
  };
  for (const auto& change : changes) {
    auto* command = queue->add_subcommand(change.name, change.what);
    if (std::string_view(change.name) == "priority") {
      command->add_option("LEVEL", request.priority, "low, normal or high")
          ->check(CLI::IsMember({"low", "normal", "high"}))
          ->required();
    }
    add_selection(command, request);
    command->add_flag("--all", request.all, "Every message");
    command->add_flag("--dry-run", request.dry_run, "Change nothing: show how many it would be, and which");
    add_service_options(command, request.service);
    command->callback([&request, &code, name = change.name] { code = app::queue_change(request, name); });
  }
}

void add_pins_commands(CLI::App& root, app::Service& service, std::string& name, app::SetPins& set,
                       app::AdvertRequest& advert, int& code) {
  auto* pins =
      root.add_subcommand("pins", "What the relay noted of receivers' keys; what a gate would advertise");
  pins->require_subcommand(1);
  auto* list = pins->add_subcommand(
      "list", "Every pin set and STSEC note: from where, how much it is worth, until when");
  auto* show = pins->add_subcommand("show", "What is noted of one host or domain");
  auto* forget = pins->add_subcommand(
      "forget",
      "Forget what is noted of a host or domain. Do so only when its postmaster confirmed, "
      "by another way, that its key changed; the relay logs that you did");
  auto* put =
      pins->add_subcommand("set", "Pin a host or domain yourself, from keys that you were given another way");
  for (auto* command : {list, show, forget, put}) add_service_options(command, service);
  for (auto* command : {show, forget})
    command->add_option("NAME", name, "An MX host or a recipient domain")->required();
  put->add_option("NAME", set.name, "An MX host (with :PORT where it is not 25), or a recipient domain")
      ->required();
  put->add_option("--pin", set.pins, "Base64 of the SHA-256 of a key's SubjectPublicKeyInfo; once for each")
      ->required();
  put->add_option("--max-age", set.max_age, "How long they hold")->capture_default_str();
  put->add_flag("--domain", set.domain, "NAME is a recipient domain");
  auto* print = pins->add_subcommand("advert", "Print the EHLO lines that a gate with these keys advertises");
  print->add_option("--cert", advert.certificate, "The certificate chain, PEM, leaf first")->required();
  print->add_option("--key", advert.key, "Its private key, PEM")->required();
  print
      ->add_option("--backup-key", advert.backup_key,
                   "The backup: a private key, a public key or a certificate, PEM")
      ->required();
  print->add_option("--max-age", advert.max_age, "How long senders are to hold the pins")
      ->capture_default_str();
  print->add_option("--scope", advert.scope, "HOST or DOMAIN")
      ->check(CLI::IsMember({"HOST", "DOMAIN"}))
      ->capture_default_str();
  print->add_option("--mode", advert.mode, "ENFORCE or REPORT")
      ->check(CLI::IsMember({"ENFORCE", "REPORT"}))
      ->capture_default_str();
  print->add_option("--stsec-max-age", advert.stsec_max_age, "Advertise STSEC too; 0: do not")
      ->capture_default_str();
  print->add_option("--rua", advert.rua, "Where reports go: a mailto: or https: URI");
  print->add_flag("--json", advert.json, "Answer in JSON, for programs");
  list->callback([&] { code = app::pins_list(service); });
  show->callback([&] { code = app::pins_show(service, name); });
  forget->callback([&] { code = app::pins_forget(service, name); });
  put->callback([&] { code = app::pins_set(service, set); });
  print->callback([&] { code = app::pins_advert(advert); });
}

void add_policy_commands(CLI::App& root, app::RuleRequest& rule, app::ExplainRequest& explain, int& code) {
  const char* const config =
      "Ask this relay's configuration instead of the running relay: also one that it has not read yet";
  auto* rules =
      root.add_subcommand("rule", "The operator's own rules: [[rule]] in the relay's configuration");
  rules->require_subcommand(1);
  auto* list = rules->add_subcommand("list", "Every rule, most specific first");
  auto* test = rules->add_subcommand("test", "Which rules bind mail for a recipient, and a host");
  auto* reload = rules->add_subcommand(
      "reload",
      "Have the relay read its rules and routes again (as SIGHUP does). A broken file changes nothing");
  for (auto* command : {list, test, reload}) add_service_options(command, rule.service);
  for (auto* command : {list, test}) command->add_option("--config", rule.config, config);
  test->add_option("RECIPIENT", rule.domain, "A mailbox or a domain")->required();
  test->add_option("HOST", rule.host, "One of its mail hosts");
  list->callback([&] { code = app::rule_list(rule); });
  test->callback([&] { code = app::rule_test(rule); });
  reload->callback([&] { code = app::rule_reload(rule.service); });

  auto* one = root.add_subcommand(
      "explain", "Look up what mail to a recipient is held to now, and why: every source, every host");
  one->add_option("RECIPIENT", explain.recipient, "A mailbox or a domain")->required();
  one->add_option(
      "--config", explain.config,
      "Look up without a running relay, with this configuration: nothing is noted of anybody then");
  one->add_flag("--requiretls", explain.requiretls, "As for a message that came with REQUIRETLS");
  one->add_flag("--tls-required-no", explain.tls_required_no, "As for a message with TLS-Required: No");
  add_service_options(one, explain.service);
  one->callback([&] { code = app::explain(explain); });
}

void add_sts_commands(CLI::App& root, app::Service& service, std::string& domain, int& code) {
  auto* sts = root.add_subcommand("sts", "The MTA-STS policies that the relay holds");
  sts->require_subcommand(1);
  auto* list = sts->add_subcommand("list", "Every policy: of whom, what it says, until when");
  auto* forget = sts->add_subcommand(
      "forget",
      "Forget a domain's policy; it is fetched anew when mail goes there. The relay logs that you did");
  for (auto* command : {list, forget}) add_service_options(command, service);
  forget->add_option("DOMAIN", domain, "The recipient domain")->required();
  list->callback([&] { code = app::sts_list(service); });
  forget->callback([&] { code = app::sts_forget(service, domain); });
}

void add_policyd_commands(CLI::App& policyd, app::Service& service, std::string& name, int& code) {
  policyd.require_subcommand(0, 1);
  auto* ask = policyd.add_subcommand("ask", "What Postfix is told about a next hop, why, and until when");
  ask->add_option("DOMAIN", name, "As Postfix asks: example.org, [mx.example.org], example.org:587")
      ->required();
  auto* stats = policyd.add_subcommand("stats", "How much was asked, told, looked up and probed");
  auto* warm = policyd.add_subcommand("warm", "Look domains up before Postfix asks for them");
  warm->add_option("FILE", name, "Domains, one a line, behind '#' a comment; - for standard input")
      ->required();
  for (auto* command : {ask, stats, warm}) add_service_options(command, service);
  ask->callback([&] { code = app::policyd_ask(service, name); });
  stats->callback([&] { code = app::policyd_stats(service); });
  warm->callback([&] { code = app::policyd_warm(service, name); });
}

// What a domain declares by DNS and HTTPS.
void add_declaration_lints(CLI::App& linting, app::LintRequest& lint, int& code) {
  const struct {
    const char* name;
    const char* what;
    const char* file;
    int (*run)(const std::string& file, bool json);
  } kinds[] = {
      {"tlsa", "a TLSA record's presentation form, and whether SMTP can use it", "\"3 1 1 ab12...\"",
       app::lint_tlsa},
      {"sts-txt", "the TXT records at _mta-sts", "A record a line, as text or as quoted strings",
       app::lint_sts_txt},
      {"sts-policy", "an MTA-STS policy", "The policy as it is served", app::lint_sts_policy},
      {"tlsrpt-txt", "the TXT records at _smtp._tls", "A record a line, as text or as quoted strings",
       app::lint_tlsrpt_txt},
  };
  for (const auto& kind : kinds) {
    auto* command = linting.add_subcommand(
        kind.name, std::string("Check ") + kind.what + ". Exit code: 0 valid, 1 invalid, 2 wrong usage");
    command->add_option("FILE", lint.file, std::string(kind.file) + "; - for standard input")->required();
    command->add_flag("--json", lint.json, "Answer in JSON, for programs");
    command->callback([&lint, &code, run = kind.run] { code = run(lint.file, lint.json); });
  }
}

void add_offline_commands(CLI::App& root, app::LintRequest& lint, app::VerifyRequest& verify, bool& json,
                          int& code) {
  auto* linting = root.add_subcommand("lint", "Check what a server says, without a network");
  linting->require_subcommand(1);
  auto* pkp = linting->add_subcommand("pkp",
                                      "Check the PKP lines of an EHLO reply; with the chain or its keys, say "
                                      "whether a sender would note them. "
                                      "Exit code: 0 valid, 1 invalid, 2 wrong usage");
  pkp->add_option("FILE", lint.file, "EHLO lines as captured, or - for standard input")->required();
  auto* chain = pkp->add_option("--chain", lint.chain, "The server's certificate chain, PEM, leaf first");
  pkp->add_option("--spki", lint.spki, "Instead: the pins of the chain's keys, leaf first")->excludes(chain);
  pkp->add_option("--name", lint.name,
                  "The MX host that a pinned CA's leaf must bear (default: one of the leaf's own names)");
  pkp->add_option("--roots", lint.roots, "Trust anchors, PEM (default: the system's)");
  pkp->add_flag("--json", lint.json, "Answer in JSON, for programs");
  pkp->callback([&] { code = app::lint_pkp(lint); });
  add_declaration_lints(*linting, lint, code);

  auto* matching = root.add_subcommand("match", "Compare names as a delivery does, without a network");
  matching->require_subcommand(1);
  auto* name = matching->add_subcommand("name",
                                        "Does a certificate with these dNSNames name a host? Exit code: 0 it "
                                        "does, 1 it does not, 2 wrong usage");
  name->add_option("--san", verify.names, "A dNSName of the certificate; several may be given")->required();
  name->add_option("HOST", lint.name, "The host's name");
  name->add_flag("--json", json, "Answer in JSON, for programs");
  name->callback([&] { code = app::match_name(verify.names, lint.name, json); });

  auto* mx =
      matching->add_subcommand("mx",
                               "Is a host among an MTA-STS policy's mx patterns? Exit code: 0 it is, 1 it "
                               "is not, 2 wrong usage");
  mx->add_option("HOST", lint.name, "The MX host's name")->required();
  mx->add_option("PATTERN", verify.names, "\"mx.example.org\" or \"*.example.org\"")->required();
  mx->add_flag("--json", json, "Answer in JSON, for programs");
  mx->callback([&] { code = app::match_mx(lint.name, verify.names, json); });

  auto* verifying = root.add_subcommand("verify", "Verify as a delivery does, without a network");
  verifying->require_subcommand(1);
  auto* one =
      verifying->add_subcommand("chain",
                                "Does a certificate chain match pins or TLSA records, or hold in the WebPKI? "
                                "Answers in JSON. Exit code: 0 it does, 1 it does not, 2 wrong usage");
  one->add_option("--pins", verify.pins, "Pins: EHLO lines, or a base64 a line");
  one->add_option("--tlsa", verify.tlsa, "TLSA records: 'usage selector type hex' a line");
  one->add_flag("--webpki", verify.webpki, "A trusted CA vouches for the chain, and the leaf has the name");
  one->add_option("--chain", verify.chain, "The chain, PEM, leaf first")->required();
  one->add_option("--name", verify.names,
                  "The server's name, which a leaf under a CA must bear; may be given several times, and one "
                  "is enough")
      ->required()
      ->allow_extra_args(false);
  one->add_option("--roots", verify.roots, "Trust anchors, PEM (default: the system's)");
  one->add_option("--time", verify.time, "When: 2026-11-23T18:27:51Z, or seconds since 1970 (default: now)");
  one->add_flag("--json", json, "Answers are in JSON anyway");
  one->callback([&] { code = app::verify_chain(verify); });
}

void add_check_command(CLI::App& root, app::CheckRequest& check, int& code) {
  auto* one = root.add_subcommand(
      "check",
      "Look at a domain's receiving side as a sender does, and send nothing: MX, DNSSEC, STARTTLS, "
      "certificates, "
      "DANE, MTA-STS, pins, TLSRPT; what is wrong, and what to do.\n"
      "Exit code: 0 all is good, 1 there are warnings, 2 mail for a domain would wait or bounce, "
      "3 wrong usage, or an error of this machine's own");
  one->add_option("DOMAIN", check.domains, "A recipient domain; several may be given");
  one->add_option("--file", check.file, "Domains, one a line, behind '#' a comment; - for standard input");
  one->add_option(
      "--config", check.config,
      "A relay's configuration: its resolver, trust anchors, rules and port (default: the system's, "
      "no rules, port 25)");
  one->add_option("--timeout", check.timeout, "How long a host may take, from connecting to its last answer")
      ->capture_default_str();
  one->add_option("--parallel", check.parallel,
                  "So many domains at the same time, and hosts four times as many")
      ->check(CLI::Range(std::size_t(1), std::size_t(256)))
      ->capture_default_str();
  one->add_flag("--json", check.json, "Answer in JSON, for programs: an array, an object a domain");
  one->add_flag("--no-color", check.no_color,
                "No colour on a terminal (so does NO_COLOR in the environment)");
  one->callback([&] { code = app::check_domains(check); });
}

// CLI11 takes "[a,b]" for a list of values where several may follow, and "[mx.example.org]" for the name in
// it. With a blank behind it an argument of `match`, where no name has brackets, stays as wrong as it is, and
// one of `policyd ask` keeps its own.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> out(argv + 1, argv + argc);
  const bool match = !out.empty() && out[0] == "match";
  const bool ask = out.size() > 2 && out[0] == "policyd" && out[1] == "ask";
  for (std::string& text : out) {
    if ((match || ask) && text.starts_with('[') && text.ends_with(']')) text += ' ';
  }
  std::reverse(out.begin(), out.end());  // as CLI11 takes them
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App root(
      "Pinnace makes mail between servers resist interception: a relay that remembers the keys of the "
      "servers it "
      "delivers to and holds mail rather than hand it to anybody else, and a gate that makes any mail server "
      "announce "
      "its keys.",
      "pinnace");
  root.require_subcommand(1);
  root.set_version_flag("--version", [] {
    return fmt::format("{}\nconfinement on this kernel: {}", PINNACE_VERSION, process::available().str());
  });
  int code = 0;
  std::string config, name;
  app::Service service{default_control(), false};
  app::SetPins set;
  app::AdvertRequest advert;
  app::LintRequest lint;
  app::VerifyRequest verify;
  app::RuleRequest rule{service, "", "", ""};
  app::ExplainRequest explain{.service = service, .config = "", .recipient = ""};
  app::CheckRequest domains;
  bool json = false, check_only = false;
  // Monitoring takes 1 and 2 of `check` and `publish` for verdicts; of `lint`, `match` and `verify` 1 is the
  // answer "no".
  const std::string_view first = argc > 1 ? argv[1] : "";
  const bool checks = first == "check" || first == "publish";
  const bool answers = first == "lint" || first == "match" || first == "verify";

  auto* relay =
      root.add_subcommand("relay", "Take mail over SMTP, queue it durably, deliver it under noted pins");
  auto* gate =
      root.add_subcommand("gate", "Stand as the MX before a mail server: TLS, and the pins of its keys");
  auto* policyd =
      root.add_subcommand("policyd", "Answer Postfix's smtp_tls_policy_maps from the same policies");
  for (auto* command : {relay, gate, policyd}) {
    auto* option = command->add_option(
        "--config", config, "The configuration, TOML (docs/configuration.md); try 'pinnace config check'");
    if (command == relay) option->required();
    command->add_flag("--check", check_only,
                      "Start nothing: is the configuration good, and all that it names usable? "
                      "Exit code: 0 yes, 1 no");
  }
  relay->callback([&] { code = check_only ? app::check_relay(config) : app::run_relay(config); });
  app::Service of_policyd{default_control("/run/pinnace/policyd.sock"), false};
  add_policyd_commands(*policyd, of_policyd, name, code);
  policyd->callback([&] {
    if (!policyd->get_subcommands().empty()) return;
    code = check_only ? app::check_policyd(config) : app::run_policyd(config);
  });
  bool break_promises = false;
  gate->add_flag("--break-promises", break_promises,
                 "Start with the certificate in the files although promises are outstanding that it breaks: "
                 "senders that heard them hold their mail. It is logged, with whom and until when");
  app::add_gate_commands(*gate, code);
  app::add_senders_command(*gate, code);
  gate->callback([&] {
    if (!gate->get_subcommands().empty()) return;
    if (config.empty()) throw CLI::RequiredError("--config");
    code = check_only ? app::check_gate(config) : app::run_gate(config, break_promises);
  });
  auto* configuration = root.add_subcommand("config", "Look at configurations");
  configuration->require_subcommand(1);
  auto* check = configuration->add_subcommand(
      "check", "Is a configuration good? Names file, line, key and what was expected");
  check->add_option("FILE", config, "The configuration of a relay, a policyd or a gate")->required();
  check->add_flag("--json", json, "Answer in JSON, for programs");
  check->callback([&] { code = app::check_config(config, json); });
  auto* user = root.add_subcommand("user", "Those who may log in to submit mail (relay.users)");
  user->require_subcommand(1);
  auto* hash = user->add_subcommand(
      "hash", "Print a user's line for the file of users; the password is the first line of standard input");
  hash->add_option("NAME", name, "The user's name")->required();
  hash->callback([&] { code = app::user_hash(name); });
  app::QueueRequest queued;
  queued.service = service;
  add_queue_commands(root, queued, code);
  add_pins_commands(root, service, name, set, advert, code);
  app::add_ledger_commands(*root.get_subcommand("pins"), code);
  add_sts_commands(root, service, name, code);
  add_policy_commands(root, rule, explain, code);
  add_offline_commands(root, lint, verify, json, code);
  add_check_command(root, domains, code);
  app::PublishRequest published;
  add_publish_commands(root, published, code);
  app::add_report_commands(root, code);

  try {
    root.parse(arguments(argc, argv));
  } catch (const CLI::ParseError& e) {
    return root.exit(e) == 0 ? 0 : checks ? 3 : 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "pinnace: %s\n", e.what());
    return checks ? 3 : answers ? 2 : 1;
  }
  return code;
}
