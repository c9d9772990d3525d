// The answers that could be given for a domain: one for each of Postfix's levels, made only where it is
// sound.
//
// An answer is sound if no session that Postfix uses under it would have been refused. Postfix has one answer
// for all hosts of a domain, so where it asks who is there (fingerprint, secure), it takes any host's proof
// at every host: he who proves to be one of the domain's hosts, as that host's own decision demands it, may
// be met under another's name. That gives nobody anything: who can stand in a host's place can make the
// others unreachable too (docs/decisions/0008-what-postfix-is-told.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "postfix/demands.hpp"
#include "postfix/telling.hpp"

namespace pinnace::postfix {

struct Candidate {
  std::string level;
  std::string match;               // as the attribute has it; empty: none
  std::vector<AnchorFile> files;   // each a tafile
  std::vector<std::string> notes;  // what was narrowed
  // In the order of the hosts: why Postfix cannot use it; empty: it can.
  std::vector<std::string> left_out;
  std::optional<base::Time> until;
  // No more than what the MTA-STS policy says to everybody, and all of that.
  bool policy_alone = false;
  std::string policy_failure;  // RFC 8460 4.3.2.2: Postfix fails each delivery with it, and reports that

  std::size_t used() const;
  // More hosts, then the better ones.
  bool serves_more_than(const Candidate& other) const;
};

struct View {
  const DomainKnown& known;
  const Options& options;
  std::vector<Demands> hosts;  // best first

  bool sts_enforced() const;
  // Postfix asks for the MX itself. Where nobody signs that answer, and a rule lists the hosts that may be
  // used, only such an answer keeps it from others that makes each host prove to be one of them.
  bool mx_must_be_proven() const;
  // What is known to bind hosts that cannot be looked up now, which Postfix may reach all the same.
  policy::Bound unreachable_bound() const;
};

// The sound ones, the preferred first; only such under which a host can be used.
std::vector<Candidate> candidates(const View& view);
// Where there is none: the certificates that were seen at hosts which demand TLS alone, or nothing, while
// others must not be used. It asks more of the former than is demanded, and keeps the others out.
std::optional<Candidate> last_resort(const View& view);

// Where the MTA-STS policy lists no host and nothing else binds, for a Postfix that reports: an entry under
// which none can be used, as there would be TEMP, and which lets the domain know.
std::optional<Candidate> refusal_to_report(const View& view);

// What they are made of; each in a file of its own.
std::optional<Candidate> by_dane(const View& view, bool only);
std::optional<Candidate> by_fingerprint(const View& view, bool unproven_too);
std::vector<Candidate> by_authority(const View& view);

}  // namespace pinnace::postfix
