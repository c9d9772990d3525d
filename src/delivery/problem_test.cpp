#include "delivery/problem.hpp"

#include <gtest/gtest.h>

namespace pinnace::delivery {
namespace {

Problem unanswered() {
  Problem p = temporary("4.4.2", "the connection was lost after the message was sent");
  p.unanswered = true;
  return p;
}

Problem by_policy() {
  Problem p = temporary("4.7.5", "the policy does not list this host");
  p.policy = true;
  p.failed = {policy::Source::sts};
  return p;
}

TEST(KeepWorse, APolicysRefusalDoesNotHideThatAServerMayHaveTheMessage) {
  for (const bool policy_first : {true, false}) {
    std::optional<Problem> kept;
    keep_worse(kept, policy_first ? by_policy() : unanswered());
    keep_worse(kept, policy_first ? unanswered() : by_policy());
    EXPECT_TRUE(kept->unanswered) << policy_first;
    EXPECT_TRUE(kept->policy) << policy_first;
    EXPECT_EQ(kept->status, "4.7.5") << policy_first;
    EXPECT_FALSE(kept->failed.empty()) << policy_first;
  }
}

TEST(KeepWorse, KeepsThatThisMachineIsAtFault) {
  Problem ours = temporary("4.4.1", "cannot connect from there");
  ours.ours = true;
  for (const bool first : {true, false}) {
    std::optional<Problem> kept;
    keep_worse(kept, first ? ours : by_policy());
    keep_worse(kept, first ? by_policy() : ours);
    EXPECT_TRUE(kept->ours) << first;
  }
}

TEST(KeepWorse, IsPermanentOnlyWhereAllAre) {
  std::optional<Problem> kept;
  keep_worse(kept, permanent("5.1.2", "no address"));
  keep_worse(kept, permanent("5.3.0", "no"));
  EXPECT_TRUE(kept->permanent);
  EXPECT_EQ(kept->status, "5.1.2");
  keep_worse(kept, temporary("4.4.1", "no answer"));
  EXPECT_FALSE(kept->permanent);
  EXPECT_EQ(kept->status, "4.4.1") << "what one host refused for good, another only put off";
  EXPECT_FALSE(kept->unanswered);
}

}  // namespace
}  // namespace pinnace::delivery
