// Why a host, or a whole domain, could not be used now.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "policy/judge.hpp"

namespace pinnace::delivery {

struct Problem {
  std::string status = "4.4.1";        // enhanced code
  std::string reason;                  // for people
  std::string failure;                 // RFC 8460 result type, where it is one
  std::string reply;                   // the server's own words
  std::string decision;                // what was demanded of the host, for people
  std::vector<policy::Source> failed;  // whose requirements were not met
  bool policy = false;                 // a policy forbade it
  bool permanent = false;              // the server refused for good
  bool unreachable = false;            // no connection could be made
  bool ours = false;                   // for a fault of this machine: it says nothing of any host
  bool limited = false;                // a rule's limit: it is no failure, and nothing was tried
  bool unanswered = false;             // the whole message was sent, and the server may have it

  bool failed_by_sts() const;  // or by the pins in such a policy
};

template <class T>
using Attempt = std::expected<T, Problem>;

Problem permanent(std::string status, std::string reason);
Problem temporary(std::string status, std::string reason);
Problem refused(const policy::Verdict& verdict);

// The problem that says most of why no host would do: a policy's refusal above all, and
// never a permanent one while another host may still take the message. That one of them may have it
// already is never lost.
void keep_worse(std::optional<Problem>& kept, Problem next);

}  // namespace pinnace::delivery
