// lab_interceptor: listens in a receiver's place and attacks whoever comes. One line of JSON on
// standard output when it listens, one more for each connection that ended.
#include <fmt/core.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "forged_key.hpp"
#include "session.hpp"

namespace lab {
namespace {

constexpr std::string_view kUsage =
    "usage: lab_interceptor --attack NAME --listen ADDRESS:PORT --record FILE [--name HOST]\n"
    "                       [--cert PEM [--key PEM]] [--forward ADDRESS:PORT] [--after OCTETS]\n"
    "                       [--forged EHLO-LINE]...\n"
    "attacks:\n";

int fail(const std::string& why) {
  fmt::print(stderr, "lab_interceptor: {}\n", why);
  return 2;
}

int usage() {
  fmt::print(stderr, "{}", kUsage);
  for (const Attack& attack : kAttacks) fmt::print(stderr, "  {:<18} {}\n", attack.name, attack.says);
  return 2;
}

using Options = std::multimap<std::string, std::string, std::less<>>;

std::string option(const Options& options, std::string_view name) {
  auto found = options.find(name);
  return found == options.end() ? "" : found->second;
}

// The attacker's side of TLS, or none with `why` set.
SslContext make_server(const Attack& attack, const std::string& certificate, const std::string& key,
                       std::string& why) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    why = fmt::format("--cert {}: not a readable PEM certificate", certificate);
  } else if (attack.replays_certificate
                 ? !use_forged_key(context.get())
                 : SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    why = attack.replays_certificate ? fmt::format("--cert {}: not a P-256 key", certificate)
                                     : fmt::format("--key {}: not the certificate's key", key);
  }
  return context;
}

// What the options ask for, or a sentence that says what is wrong with them.
std::expected<Settings, std::string> to_settings(const Options& options) {
  Settings settings;
  std::string name = option(options, "--attack");
  const auto* attack = std::ranges::find(kAttacks, name, &Attack::name);
  if (attack == std::end(kAttacks)) return std::unexpected(fmt::format("--attack {}: not known", name));
  settings.attack = attack;
  settings.name = option(options, "--name");
  settings.record = option(options, "--record");
  if (settings.record.empty()) return std::unexpected("--record FILE is needed");
  auto [first, last] = options.equal_range("--forged");
  for (; first != last; ++first) settings.forged.push_back(first->second);
  std::string why;
  if (std::string certificate = option(options, "--cert"); !certificate.empty()) {
    settings.server = make_server(*attack, certificate, option(options, "--key"), why);
  }
  settings.client.reset(SSL_CTX_new(TLS_client_method()));
  settings.forward = Endpoint::parse(option(options, "--forward"));
  bool passes =
      attack->answers == Answers::receiver_over_own_tls || attack->answers == Answers::receiver_until_reset;
  bool speaks_tls = attack->answers == Answers::receiver_over_own_tls ||
                    (attack->answers == Answers::attacker && attack->starttls == StartTls::offered);
  if (speaks_tls && !settings.server) why = "--cert PEM is needed";
  if (passes && !settings.forward) why = "--forward ADDRESS:PORT is needed";
  std::string after = option(options, "--after");
  std::from_chars(after.data(), after.data() + after.size(), settings.reset_after);
  if (!why.empty()) return std::unexpected(why);
  return settings;
}

int run(const Settings& settings, const Endpoint& endpoint) {
  auto listener = listen_at(endpoint);
  if (!listener) return fail(listener.error());
  std::mutex output;
  auto say = [&output](const std::string& line) {
    std::scoped_lock lock(output);
    fmt::print("{}\n", line);
    std::fflush(stdout);
  };
  say(fmt::format(R"({{"ready":"{}"}})", endpoint.str()));
  while (true) {
    int fd = accept4(*listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    std::thread([&settings, &say, fd] {
      Session session(settings, fd);
      session.run();
      say(session.report());
    }).detach();
  }
}

}  // namespace
}  // namespace lab

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc < 2 || argc % 2 == 0) return lab::usage();
  lab::Options options;
  for (int i = 1; i + 1 < argc; i += 2) options.emplace(argv[i], argv[i + 1]);
  auto endpoint = lab::Endpoint::parse(lab::option(options, "--listen"));
  if (!endpoint) return lab::fail("--listen ADDRESS:PORT is needed, such as 127.77.0.10:25");
  auto settings = lab::to_settings(options);
  if (!settings) return lab::fail(settings.error());
  return lab::run(*settings, *endpoint);
}
