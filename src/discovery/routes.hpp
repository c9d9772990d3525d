// Where a domain's mail goes: its hosts and their addresses, remembered as long as the
// DNS allows. Many who ask at once share one lookup. On the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "dns/mail_hosts.hpp"

namespace pinnace::discovery {

class Routes {
 public:
  Routes(io::Loop& loop, dns::Resolver& resolver);
  ~Routes();

  io::Task<std::shared_ptr<const dns::MailHosts>> hosts(names::Domain domain);
  io::Task<std::shared_ptr<const dns::Addresses>> addresses(std::string host);

 private:
  template <class T>
  struct Cache;
  dns::Resolver& resolver_;
  std::mt19937_64 random_;
  std::unique_ptr<Cache<dns::MailHosts>> hosts_;
  std::unique_ptr<Cache<dns::Addresses>> addresses_;
};

}  // namespace pinnace::discovery
