#include "discovery/routes.hpp"

#include <algorithm>
#include <unordered_map>

namespace pinnace::discovery {
namespace {

constexpr std::size_t kMostEntries = 100'000;
constexpr base::Seconds kLeast{1}, kMost = std::chrono::hours(1);
constexpr base::Seconds kFailure{5};  // a failure is not asked for again at once

bool failed(const dns::MailHosts& h) { return h.kind == dns::MailHosts::Kind::failure; }
bool failed(const dns::Addresses& a) { return a.kind == dns::Addresses::Kind::failure; }

}  // namespace

template <class T>
struct Routes::Cache {
  struct Entry {
    std::shared_ptr<const T> value;
    io::Steady::time_point until;
    bool loading = false;
  };
  explicit Cache(io::Loop& loop) : loaded(loop) {}

  std::shared_ptr<const T> fresh(const std::string& key) {
    const auto entry = entries.find(key);
    if (entry == entries.end() || entry->second.loading || entry->second.until <= io::Steady::now())
      return nullptr;
    return entry->second.value;
  }
  bool loading(const std::string& key) const {
    const auto entry = entries.find(key);
    return entry != entries.end() && entry->second.loading;
  }
  void begin(const std::string& key) {
    if (entries.size() >= kMostEntries) {
      std::erase_if(entries, [](const auto& e) { return !e.second.loading; });
    }
    entries[key].loading = true;
  }
  std::shared_ptr<const T> end(const std::string& key, T value) {
    Entry& entry = entries[key];
    entry.loading = false;
    entry.until = io::Steady::now() + (failed(value) ? kFailure : std::clamp(value.ttl, kLeast, kMost));
    entry.value = std::make_shared<const T>(std::move(value));
    loaded.notify_all();
    return entry.value;
  }

  std::unordered_map<std::string, Entry> entries;
  io::Condition loaded;
};

Routes::Routes(io::Loop& loop, dns::Resolver& resolver)
    : resolver_(resolver),
      random_(std::random_device{}()),
      hosts_(std::make_unique<Cache<dns::MailHosts>>(loop)),
      addresses_(std::make_unique<Cache<dns::Addresses>>(loop)) {}

Routes::~Routes() = default;

io::Task<std::shared_ptr<const dns::MailHosts>> Routes::hosts(names::Domain domain) {
  const std::string key = domain.str();
  while (hosts_->loading(key)) co_await hosts_->loaded.wait();
  if (auto known = hosts_->fresh(key)) co_return known;
  hosts_->begin(key);
  std::function<std::size_t(std::size_t)> random = [this](std::size_t n) { return random_() % n; };
  dns::MailHosts found = co_await dns::find_mail_hosts(resolver_, domain, random);
  co_return hosts_->end(key, std::move(found));
}

io::Task<std::shared_ptr<const dns::Addresses>> Routes::addresses(std::string host) {
  while (addresses_->loading(host)) co_await addresses_->loaded.wait();
  if (auto known = addresses_->fresh(host)) co_return known;
  addresses_->begin(host);
  dns::Addresses found = co_await dns::find_addresses(resolver_, host);
  co_return addresses_->end(host, std::move(found));
}

}  // namespace pinnace::discovery
