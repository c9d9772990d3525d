#include "auth/user_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "auth/password_hash.hpp"

namespace pinnace::auth {
namespace {

constexpr std::size_t kMostOctets = 16 << 20;

// In lower case where case does not tell: the domain's part.
std::string with_low_domain(std::string_view address) {
  std::string out(address);
  const std::size_t at = out.rfind('@');
  if (at == std::string::npos) return out;
  std::transform(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
                 out.begin() + static_cast<std::ptrdiff_t>(at),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

base::Result<std::string> read_secret(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return base::fail("auth.users", fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  struct stat info{};
  std::string why;
  std::string text;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    why = "is no file";
  } else if ((info.st_mode & S_IRWXO) != 0) {
    why = "is open to every user of this machine, and holds passwords' hashes: chmod o= it";
  }
  char block[4096];
  while (why.empty()) {
    const ssize_t n = ::read(fd, block, sizeof block);
    if (n < 0) why = fmt::format("cannot be read: {}", std::strerror(errno));
    if (n <= 0) break;
    text.append(block, static_cast<std::size_t>(n));
    if (text.size() > kMostOctets) why = fmt::format("has more than {} octets", kMostOctets);
  }
  ::close(fd);
  if (!why.empty()) return base::fail("auth.users", path + ": " + why);
  return text;
}

}  // namespace

bool may_send_as(const std::vector<std::string>& senders, std::string_view reverse_path) {
  if (senders.empty() || reverse_path.empty()) return true;
  const std::string address = with_low_domain(reverse_path);
  const std::size_t at = address.rfind('@');
  return std::any_of(senders.begin(), senders.end(), [&](const std::string& s) {
    return s.starts_with('@') ? at != std::string::npos && address.substr(at) == s : address == s;
  });
}

base::Result<> UserFile::take_line(std::string_view line) {
  const std::size_t first = line.find(':');
  const std::string name(line.substr(0, first));
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (first == std::string_view::npos || name.empty() || name.size() > 255 ||
      std::any_of(name.begin(), name.end(), control))
    return base::fail("auth.users", "USER:HASH is expected, or USER:HASH:SENDERS");
  line.remove_prefix(first + 1);
  User user;
  user.hash = line.substr(0, line.find(':'));
  if (auto good = check_hash(user.hash); !good) return std::unexpected(good.error());
  line.remove_prefix(std::min(line.size(), user.hash.size() + 1));
  while (!line.empty()) {
    const std::string_view sender = line.substr(0, line.find(','));
    const std::size_t at = sender.rfind('@');
    if (at == std::string_view::npos || at + 1 == sender.size() || sender.find(' ') != std::string_view::npos)
      return base::fail("auth.users", fmt::format("'{}' is no sender: write ann@example.org or @example.org",
                                                  sender.substr(0, 100)));
    user.senders.push_back(with_low_domain(sender));
    line.remove_prefix(std::min(line.size(), sender.size() + 1));
  }
  if (!users_.emplace(name, std::move(user)).second)
    return base::fail("auth.users", fmt::format("the user '{}' stands here twice", name));
  return {};
}

base::Result<UserFile> UserFile::load(const std::string& path) {
  const auto text = read_secret(path);
  if (!text) return std::unexpected(text.error());
  UserFile out;
  std::string_view left = *text;
  for (std::size_t number = 1; !left.empty(); ++number) {
    std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(left.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (auto taken = out.take_line(line); !taken)
      return base::fail("auth.users", fmt::format("{}:{}: {}", path, number, taken.error().detail));
  }
  return out;
}

const User* UserFile::find(const std::string& name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : &found->second;
}

const std::string& UserFile::decoy(const std::string& name) const {
  static const std::string kNone;
  if (users_.empty()) return kNone;
  const std::size_t which = std::hash<std::string>()(name) % users_.size();
  return std::next(users_.begin(), static_cast<std::ptrdiff_t>(which))->second.hash;
}

}  // namespace pinnace::auth
