// Where a domain's mail goes: its hosts, their addresses and TLSA records, remembered as long as the
// DNS allows. Many who ask at once share one lookup. On the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "dane/tlsa.hpp"
#include "dns/mail_hosts.hpp"

namespace pinnace::discovery {

struct FoundTlsa {
  dane::HostTlsa tlsa;
  base::Seconds ttl{};
};

template <class T>
class AnswerCache;

class Routes {
 public:
  Routes(io::Loop& loop, dns::Resolver& resolver);
  ~Routes();

  io::Task<std::shared_ptr<const dns::MailHosts>> hosts(names::Domain domain);
  io::Task<std::shared_ptr<const dns::Addresses>> addresses(std::string host);
  // `addresses`: as found for the host. RFC 7672 2.2.2.
  io::Task<std::shared_ptr<const FoundTlsa>> tlsa(std::string host, std::uint16_t port,
                                                  std::shared_ptr<const dns::Addresses> addresses);

 private:
  dns::Resolver& resolver_;
  std::mt19937_64 random_;
  std::unique_ptr<AnswerCache<dns::MailHosts>> hosts_;
  std::unique_ptr<AnswerCache<dns::Addresses>> addresses_;
  std::unique_ptr<AnswerCache<FoundTlsa>> tlsa_;
};

// The pure part: what an answer to a TLSA question means.
dane::HostTlsa tlsa_from(const dns::Answer& answer, const std::string& base);

}  // namespace pinnace::discovery
