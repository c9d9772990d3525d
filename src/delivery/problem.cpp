#include "delivery/problem.hpp"

#include <algorithm>

namespace pinnace::delivery {

Problem permanent(std::string status, std::string reason) {
  Problem p = temporary(std::move(status), std::move(reason));
  p.permanent = true;
  return p;
}

Problem temporary(std::string status, std::string reason) {
  Problem p;
  p.status = std::move(status);
  p.reason = std::move(reason);
  return p;
}

Problem refused(const policy::Verdict& verdict) {
  Problem p = temporary(verdict.status, verdict.sentence);
  p.permanent = verdict.permanent;
  p.failure = verdict.failure;
  p.failed = verdict.failed;
  p.policy = true;
  return p;
}

bool Problem::failed_by_sts() const {
  return std::any_of(failed.begin(), failed.end(), [](policy::Source s) {
    return s == policy::Source::sts || s == policy::Source::sts_pins;
  });
}

void keep_worse(std::optional<Problem>& kept, Problem next) {
  if (!kept) {
    kept = std::move(next);
    return;
  }
  const bool permanent = kept->permanent && next.permanent;
  const bool take_next = !kept->policy && next.policy;
  Problem& main = take_next ? next : *kept;
  const Problem& other = take_next ? *kept : next;
  if (main.permanent && !permanent) {
    main.permanent = false;
    // What one host refused for good, another only put off.
    main.status = main.policy ? "4" + main.status.substr(1) : other.status;
  }
  main.reason += (take_next ? "; before it: " : "; then: ") + other.reason;
  main.failed.insert(main.failed.end(), other.failed.begin(), other.failed.end());
  main.unanswered = main.unanswered || other.unanswered;
  main.ours = main.ours || other.ours;
  if (take_next) kept = std::move(next);
}

}  // namespace pinnace::delivery
