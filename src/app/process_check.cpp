#include "app/process_check.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "api/control.hpp"
#include "io/reserve.hpp"
#include "process/open_files.hpp"
#include "process/user.hpp"

namespace pinnace::app {
namespace {

namespace fs = std::filesystem;

// Or cannot be told of, which is a fault that its use will show.
bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) || error;
}

void note(std::vector<base::Error>& faults, const base::Result<>& result) {
  if (!result) faults.push_back(result.error());
}

// A service with this control socket runs, and so holds its addresses.
bool runs(const std::string& control) {
  if (control.empty() || !is_there(control)) return false;
  const auto answer = api::ask(control, {{"command", "status"}});
  return answer || answer.error().code == "api.command";
}

void check_addresses(const ProcessNeeds& needs, std::vector<base::Error>& faults) {
  if (runs(needs.control)) return;
  io::Loop loop;
  for (const io::Endpoint& at : needs.listen) note(faults, io::reserve(loop, at));
}

base::Result<> become_user(const ProcessSettings& settings) {
  if (settings.user.empty()) return {};
  const auto user = process::find_user(settings.user);
  if (!user) return std::unexpected(user.error());
  return process::become(*user);
}

// That this user may do so much with the file or folder.
base::Result<> usable(const fs::path& path, int how, const std::string& what) {
  if (::access(path.c_str(), how) == 0) return {};
  const int why = errno;
  return base::fail("config.file", fmt::format("{}: {}: {} (as uid {}): chown or chmod it, or name another",
                                               path.string(), what, std::strerror(why), ::geteuid()));
}

fs::path folder_of(const std::string& file) {
  const fs::path folder = fs::path(file).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

base::Result<> check_place(const std::string& file, const std::string& what) {
  return usable(folder_of(file), W_OK | X_OK, what);
}

// In the data folder, which the start makes.
bool is_made_later(const std::string& control, const std::string& data) {
  return !data.empty() && !is_there(data) &&
         fs::absolute(folder_of(control)).lexically_normal() == fs::absolute(data).lexically_normal();
}

base::Result<> check_data(const std::string& data, bool by_root) {
  if (is_there(data)) return process::check_folder(data);
  if (by_root) return {};  // the start makes it
  fs::path above = fs::absolute(data).parent_path();
  while (!is_there(above)) above = above.parent_path();
  return usable(above, W_OK | X_OK, fmt::format("{} cannot be made in it", data));
}

}  // namespace

void check_process(const ProcessNeeds& needs, const std::vector<std::string>& read,
                   std::vector<base::Error>& faults) {
  const bool by_root = ::geteuid() == 0;
  check_addresses(needs, faults);
  note(faults, process::allow_open_files(needs.open_files));
  note(faults, become_user(needs.process));
  if (!needs.data.empty()) note(faults, check_data(needs.data, by_root));
  for (const std::string& folder : needs.folders) {
    const std::string data = fs::absolute(needs.data).lexically_normal().string() + "/";
    const bool inside = fs::absolute(folder).lexically_normal().string().starts_with(data);
    // The start makes both.
    if (is_there(folder) || !inside) note(faults, check_data(folder, by_root));
  }
  const bool made = std::find(needs.folders.begin(), needs.folders.end(),
                              folder_of(needs.control).string()) != needs.folders.end();
  if (!needs.control.empty() && !made && !is_made_later(needs.control, needs.data))
    note(faults, check_place(needs.control, "the control socket cannot be made in it"));
  if (!needs.log.file.empty()) {
    note(faults, is_there(needs.log.file) ? usable(needs.log.file, W_OK, "the log cannot be written")
                                          : check_place(needs.log.file, "the log cannot be made in it"));
  }
  for (const std::string& file : read) note(faults, usable(file, R_OK, "it cannot be read"));
}

int report_check(const std::string& config_file, const std::vector<base::Error>& faults) {
  for (const base::Error& fault : faults) fmt::print(stderr, "pinnace: {}\n", fault.detail);
  if (faults.empty()) fmt::print("{}: OK, and what it names is usable\n", config_file);
  return faults.empty() ? 0 : 1;
}

}  // namespace pinnace::app
