#include "app/process_setup.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.hpp"
#include "io/reserve.hpp"
#include "process/open_files.hpp"
#include "process/user.hpp"

namespace pinnace::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kOwnFiles = 512;  // the store's (256), DNS, HTTPS, the control socket, libraries

// What libraries read: certificates of CAs, names of hosts and users, themselves, and what the kernel tells.
// No folder in which there are secrets.
constexpr const char* kSystemFiles[] = {
    "/etc/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/usr/lib",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/usr/share/dns",
    "/var/lib/unbound",
    "/proc/self",
    "/proc/sys",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/sys/devices",
    "/sys/dev/block",
    "/dev/urandom",
    "/dev/random",
};

fs::path folder_of(const fs::path& file) {
  const fs::path folder = file.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

// The folder, so that a file put in another's place is found too; alone where that would be the whole of
// the system's.
void add_file(std::vector<std::string>& to, const fs::path& file) {
  std::error_code error;
  for (const fs::path& path : {file, fs::weakly_canonical(file, error)}) {
    if (path.empty()) continue;
    const fs::path folder = fs::weakly_canonical(folder_of(path), error);
    const bool wide = folder.empty() || folder == "/" || folder == "/etc" || folder == "/dev";
    to.push_back((wide ? path : folder).string());
  }
}

void warn_of_root(const ProcessSettings& settings) {
  if (::geteuid() != 0) return;
  base::log_warning(
      "runs_as_root",
      {{"what", settings.user.empty() ? "name a user in process.user: root is needed for the start alone"
                                      : "process.user names root"}});
}

}  // namespace

ProcessNeeds needs_of(const RelayConfig& config, const std::string& config_file) {
  ProcessNeeds needs;
  needs.process = config.process;
  needs.log = config.log;
  for (const relay::ListenerSettings& l : config.relay.listeners)
    needs.listen.insert(needs.listen.end(), l.addresses.begin(), l.addresses.end());
  needs.data = config.data;
  needs.control = config.control;
  needs.files = {config_file,  config.certificate, config.key,
                 config.users, config.roots,       config.dns.trust_anchor_file};
  std::erase(needs.files, "");
  needs.files.insert(needs.files.end(), config.pin_files.begin(), config.pin_files.end());
  for (const auto& [name, one] : config.client_certificates)
    needs.files.insert(needs.files.end(), {one.certificate_file, one.key_file});
  needs.open_files = kOwnFiles + config.relay.max_sessions + config.delivery.max_connections;
  return needs;
}

ProcessNeeds needs_of(const GateConfig& config, const std::string& config_file) {
  ProcessNeeds needs;
  needs.process = config.process;
  needs.log = config.log;
  needs.listen = config.gate.listen;
  needs.listen.insert(needs.listen.end(), config.gate.listen_tls.begin(), config.gate.listen_tls.end());
  needs.listen.insert(needs.listen.end(), config.https.server.listen.begin(),
                      config.https.server.listen.end());
  needs.data = config.data;
  needs.control = config.control;
  needs.files = {config_file};
  for (const CertificateFiles& one : config.https.certificates)
    needs.files.insert(needs.files.end(), {one.certificate, one.key});
  for (const GateHost& host : config.hosts) {
    for (const auto* files : {&host.certificates, &host.keys, &host.backup_keys})
      needs.files.insert(needs.files.end(), files->begin(), files->end());
  }
  needs.open_files = kOwnFiles + 2 * config.gate.limits.max_sessions + config.https.server.max_sessions;
  return needs;
}

ProcessNeeds needs_of(const PolicydConfig& config, const std::string& config_file) {
  ProcessNeeds needs;
  needs.process = config.process;
  needs.log = config.log;
  needs.listen = config.server.listen;
  needs.own_loop = true;
  needs.data = config.data;
  needs.folders = {config.anchors};
  // /run is empty after each start of the machine.
  std::error_code error;
  const fs::path of_control = folder_of(config.control);
  if (!fs::exists(of_control, error)) needs.folders.push_back(of_control.string());
  needs.control = config.control;
  needs.files = {config_file, config.roots, config.dns.trust_anchor_file};
  std::erase(needs.files, "");
  needs.files.insert(needs.files.end(), config.pin_files.begin(), config.pin_files.end());
  for (const auto& [name, one] : config.client_certificates)
    needs.files.insert(needs.files.end(), {one.certificate_file, one.key_file});
  needs.open_files = kOwnFiles + config.server.max_connections + config.prober.parallel;
  return needs;
}

process::Reach reach_of(const ProcessNeeds& needs) {
  process::Reach reach;
  reach.read.assign(std::begin(kSystemFiles), std::end(kSystemFiles));
  reach.write = {"/dev/null"};
  for (const std::string& file : needs.files) add_file(reach.read, file);
  if (!needs.data.empty()) reach.write.push_back(needs.data);
  reach.write.insert(reach.write.end(), needs.folders.begin(), needs.folders.end());
  for (const std::string& made : {needs.control, needs.log.file}) {
    if (!made.empty()) add_file(reach.write, made);
  }
  for (const io::Endpoint& at : needs.listen) {
    if (!at.unix_path.empty()) add_file(reach.write, at.unix_path);
  }
  return reach;
}

base::Result<> set_up_process(io::Loop& loop, const ProcessNeeds& needs) {
  const auto files = process::allow_open_files(needs.open_files);
  for (const io::Endpoint& at : needs.listen) {
    if (needs.own_loop) break;
    if (auto reserved = io::reserve(loop, at); !reserved) return reserved;
  }
  if (!needs.process.user.empty()) {
    const auto user = process::find_user(needs.process.user);
    if (!user) return std::unexpected(user.error());
    if (!needs.data.empty() && ::geteuid() == 0) {
      if (auto made = process::make_folder(needs.data, *user); !made) return made;
    }
    for (const std::string& folder : needs.folders) {
      if (::geteuid() != 0) break;
      if (auto made = process::make_folder(folder, *user); !made) return made;
    }
    if (auto done = process::become(*user); !done) return done;
  } else if (::geteuid() != 0) {
    if (auto done = process::give_up_capabilities(); !done) return done;
  }
  if (!needs.data.empty()) {
    if (auto usable = process::check_folder(needs.data); !usable) return usable;
  }
  for (const std::string& folder : needs.folders) {
    if (auto usable = process::check_folder(folder); !usable) return usable;
  }
  if (!needs.log.file.empty() && !base::set_log_file(needs.log.file)) {
    return base::fail("config.log", fmt::format("cannot write the log file {}", needs.log.file));
  }
  if (auto done = process::forbid_new_privileges(); !done) return done;
  process::Confinement given_up{.no_new_privileges = true};
  if (needs.process.sandbox) {
    const auto confined = process::confine(reach_of(needs));
    if (!confined) return std::unexpected(confined.error());
    given_up = *confined;
    if (given_up.landlock == 0 || !given_up.seccomp)
      base::log_warning("kernel_confines_less", {{"confinement", given_up.str()}});
  }
  if (!files) base::log_warning("few_open_files", {{"what", files.error().detail}});
  warn_of_root(needs.process);
  base::log_info("process", {{"uid", std::to_string(::geteuid())}, {"confinement", given_up.str()}});
  return {};
}

}  // namespace pinnace::app
