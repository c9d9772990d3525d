// The operator's commands that are no service. Each gives the process's exit code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pinnace::app {

// Where the running relay is, and how to answer.
struct Service {
  std::string control;
  bool json = false;
};

int check_config(const std::string& file, bool json);

// Prints a line of the file of users, its password from standard input.
int user_hash(const std::string& name);

// Which messages, as app::QueueQuery; empty is not asked for.
struct QueueRequest {
  Service service;
  std::vector<std::string> ids;
  std::string domain, sender, reason, older_than;
  bool held = false, all = false, dry_run = false;
  std::string priority;
  std::size_t top = 10;
  bool envelope = false;
};
int queue_list(const QueueRequest& request);
int queue_show(const QueueRequest& request);
// "hold", "release", "retry", "requeue", "remove" or "priority"
int queue_change(const QueueRequest& request, const std::string& operation);
int queue_stats(const QueueRequest& request);
int queue_export(const QueueRequest& request);

int pins_list(const Service& service);
int pins_show(const Service& service, const std::string& name);
int pins_forget(const Service& service, const std::string& name);
struct SetPins {
  std::string name;
  std::vector<std::string> pins;
  std::string max_age = "60d";
  bool domain = false;
};
int pins_set(const Service& service, const SetPins& request);

int sts_list(const Service& service);
int sts_forget(const Service& service, const std::string& domain);

struct RuleRequest {
  Service service;
  std::string config;  // a configuration's rules; empty: the running relay's
  std::string domain, host;
};
int rule_list(const RuleRequest& request);
int rule_test(const RuleRequest& request);
int rule_reload(const Service& service);

struct ExplainRequest {
  Service service;
  std::string config;  // looks up by itself, with this configuration; empty: asks the running relay
  std::string recipient;
  bool requiretls = false, tls_required_no = false;
};
int explain(const ExplainRequest& request);

// Of a running policyd.
int policyd_ask(const Service& service, const std::string& domain);
int policyd_stats(const Service& service);
// `file`: domains, one a line, behind '#' a comment; "-": standard input.
int policyd_warm(const Service& service, const std::string& file);

struct CheckRequest {
  std::vector<std::string> domains;
  std::string file;    // more of them, one a line; "-": standard input
  std::string config;  // a relay's; empty: the system's resolver and roots
  std::string timeout = "30s";
  std::size_t parallel = 8;
  bool json = false, no_color = false;
};
// 0 good, 1 warnings, 2 mail would not arrive, 3 usage and own errors
int check_domains(const CheckRequest& request);

// Of a running gate.
struct ReportRequest {
  Service service;
  std::string file = "-";
  std::string config;  // a gate's, to write into its store where none runs; empty: do not
  std::string domain;  // empty: all
  std::string since = "30d";
};
int report_take(const ReportRequest& request);  // by sysexits.h
int report_inbound(const ReportRequest& request);

struct AdvertRequest {
  std::string certificate, key, backup_key;
  std::string max_age = "60d", scope = "HOST", mode = "ENFORCE", stsec_max_age = "0", rua;
  bool json = false;
};
int pins_advert(const AdvertRequest& request);

struct LintRequest {
  std::string file;
  std::string chain;              // PEM file
  std::vector<std::string> spki;  // base64, the leaf's first
  std::string name, roots;
  bool json = false;
};
// 0 valid, 1 invalid, 2 usage
int lint_pkp(const LintRequest& request);

struct VerifyRequest {
  std::string pins, tlsa;  // files; or webpki: one of the three
  bool webpki = false;
  std::string chain, roots, time;
  std::vector<std::string> names;
};
// 0 valid, 1 invalid, 2 usage
int lint_tlsa(const std::string& file, bool json);
int lint_sts_txt(const std::string& file, bool json);
int lint_sts_policy(const std::string& file, bool json);
int lint_tlsrpt_txt(const std::string& file, bool json);
// 0 one matches, 1 none does, 2 usage
int match_mx(const std::string& host, const std::vector<std::string>& patterns, bool json);
// 0 matches, 1 does not, 2 usage. `host` empty: the last of `names`.
int match_name(std::vector<std::string> names, std::string host, bool json);
// 0 matches, 1 does not, 2 usage
int verify_chain(const VerifyRequest& request);

}  // namespace pinnace::app
