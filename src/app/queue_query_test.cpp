#include "app/queue_query.hpp"

#include <gtest/gtest.h>

namespace pinnace::app {
namespace {

const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

queue::Message message() {
  queue::Message m;
  m.reverse_path = "Ann@x.test";
  m.arrived = kNow - std::chrono::hours(2);
  m.recipients.resize(2);
  m.recipients[0].address = "bob@Y.test";
  m.recipients[0].reason = "Connection refused";
  m.recipients[1].address = "carol@z.test";
  m.recipients[1].state = queue::RecipientState::failed;
  return m;
}

TEST(QueueQuery, SelectsWhatAllOfItMatches) {
  const struct {
    boost::json::object request;
    bool matches;
    const char* why;
  } cases[] = {
      {{{"domain", "y.TEST"}}, true, "of who waits, in any case"},
      {{{"domain", "z.test"}}, false, "nobody waits there"},
      {{{"domain", "y.test"}, {"reason", "refused"}}, true, "of one and the same recipient"},
      {{{"domain", "y.test"}, {"reason", "timed out"}}, false, "another reason"},
      {{{"sender", "ann@x.test"}}, true, "in any case"},
      {{{"sender", "@x.test"}}, true, "of the domain"},
      {{{"sender", "<>"}}, false, "it is not the null one"},
      {{{"older_than", "1h"}}, true, "it is two hours old"},
      {{{"older_than", "1h"}, {"held", true}}, false, "it is not held"},
      {{{"all", true}, {"domain", "a.test"}}, false, "all of that domain"},
  };
  for (const auto& c : cases) {
    const auto query = QueueQuery::parse(c.request, kNow);
    ASSERT_TRUE(query) << c.why;
    EXPECT_TRUE(query->selects()) << c.why;
    EXPECT_EQ(query->matches(message()), c.matches) << c.why;
  }
}

// The second was reported as being delivered.
TEST(QueueQuery, AnIdThatIsNamedTwiceIsOneMessage) {
  const auto query = QueueQuery::parse({{"ids", {"0065wzsb80001", "0065wzsb80002", "0065wzsb80001"}}}, kNow);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->ids.size(), 2U);
}

// A script's variable that is not set: --domain "" --older-than 2d removed the mail of all domains.
TEST(QueueQuery, AnEmptyWordIsRefusedAndNotLeftOut) {
  for (const char* key : {"domain", "sender", "reason", "older_than"}) {
    boost::json::object request{{"held", true}};
    request[key] = "";
    EXPECT_FALSE(QueueQuery::parse(request, kNow)) << key;
    request[key] = 5;
    EXPECT_FALSE(QueueQuery::parse(request, kNow)) << key;
  }
}

}  // namespace
}  // namespace pinnace::app
