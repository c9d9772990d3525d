// A domain's MTA-STS policy (RFC 8461): found by its TXT record, fetched from its policy host, kept for as
// long as it says and fetched again before it expires. What is done when is decided by sts/next_step.hpp.
// Many who ask at once share one lookup and one fetch. On the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "discovery/sts_store.hpp"
#include "dns/resolver.hpp"
#include "http/fetcher.hpp"
#include "names/domain.hpp"
#include "sts/next_step.hpp"

namespace pinnace::discovery {

struct StsFound {
  enum class Kind : std::uint8_t {
    none,
    policy,
    failure,  // what is there cannot be trusted or read: never taken for "no policy"
  };
  Kind kind = Kind::none;
  // With `policy`: live, but that one with max_age=0 holds for those who asked for it now.
  std::shared_ptr<const sts::Cached> cached;
  bool unsure = false;  // with `none`: a lookup or fetch failed, and another may find one
  std::string detail;   // for people: why there is none, or where it comes from
  std::string problem;  // of a fetch that failed: its result type (RFC 8460 4.3.2.2), else empty
};

// The pure part: what an answer to the question for "_mta-sts" means.
sts::TxtSeen txt_from(const dns::Answer& answer, const std::string& domain);

template <class T>
class AnswerCache;

class StsPolicies {
 public:
  // `db` may be null: nothing is kept across restarts.
  StsPolicies(io::Loop& loop, dns::Resolver& resolver, store::Database* db, const base::Clock& clock,
              http::Fetcher& fetcher);
  ~StsPolicies();  // only together with the loop's tasks

  base::Result<> load();    // when the policies of the store are due
  void start_refreshing();  // a task that ends with the loop

  io::Task<std::shared_ptr<const StsFound>> find(names::Domain domain);
  // RFC 8461 5.1: before a message fails for good under the policy. Asks for the TXT record anew, past what
  // is remembered here, and fetches where its id is another, or nothing was fetched for five minutes. What
  // it brought, find() tells.
  io::Task<void> check_again(names::Domain domain);

  base::Result<std::vector<sts::Cached>> list() const;  // expired ones too
  io::Task<base::Result<>> forget(std::string domain);  // waits for a fetch under way

 private:
  struct FoundTxt;
  struct Failure;
  struct Flight;
  struct Landing;
  struct Slot;
  struct Fetched;
  using Found = std::shared_ptr<const StsFound>;

  io::Task<Found> join(std::string domain, sts::Occasion occasion);
  io::Task<Found> look(std::string domain, sts::Occasion occasion);
  io::Task<Found> fetch_now(std::string domain, std::string id);
  io::Task<Fetched> fetch(std::string domain, std::string id);
  io::Task<sts::TxtSeen> txt(std::string domain, sts::Occasion occasion);
  io::Task<void> keep(std::shared_ptr<const sts::Cached> policy, std::shared_ptr<const sts::Cached> before);
  io::Task<void> refresh_due();
  io::Task<void> refresh(std::string domain, std::shared_ptr<Slot> slot);
  std::shared_ptr<const sts::Cached> live(const std::string& domain);
  void note_failure(const std::string& domain, const std::string& id, const Fetched& fetched);

  io::Loop& loop_;
  dns::Resolver& resolver_;
  const base::Clock& clock_;
  http::Fetcher& fetcher_;
  StsStore store_;
  std::unique_ptr<AnswerCache<FoundTxt>> txts_;
  std::unordered_map<std::string, Failure> failures_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::mt19937_64 random_;
  io::Timer ticker_;
  int refreshing_ = 0;
};

}  // namespace pinnace::discovery
