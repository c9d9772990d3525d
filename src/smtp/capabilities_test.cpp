#include "smtp/capabilities.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// RFC 5321 4.1.1.1
TEST(Capabilities, KeywordsInAnyCaseAndParametersAsTheyCame) {
  const Capabilities c(Reply{250,
                             {"PIPELINING mx.test", "pipelining", "8BitMime",
                              "PKP PIN-SHA256=aBc=", "pkp MAX-AGE=60", "StSec  MAX-AGE=5", "PKPX y", ""}});
  EXPECT_TRUE(c.has("PIPELINING"));
  EXPECT_TRUE(c.has("8BITMIME"));
  EXPECT_FALSE(c.has("8BIT")) << "a keyword is a whole word";
  EXPECT_THAT(c.parameters("PKP"), ElementsAre("PIN-SHA256=aBc=", "MAX-AGE=60")) << "in order";
  EXPECT_THAT(c.parameters("STSEC"), ElementsAre(" MAX-AGE=5"));
  EXPECT_THAT(c.parameters("PIPELINING"), ElementsAre(""));
  EXPECT_THAT(c.parameters("SIZE"), IsEmpty());
}

TEST(Capabilities, TheFirstLineNamesTheServerAndIsNoKeyword) {
  EXPECT_THAT(Capabilities(Reply{250, {"STARTTLS"}}).lines(), IsEmpty());
  EXPECT_THAT(Capabilities(Reply{250, {}}).lines(), IsEmpty());
}

// RFC 1870 3, 4
TEST(Capabilities, SizeLimit) {
  const struct {
    const char* line;
    std::optional<std::uint64_t> limit;
    const char* why;
  } cases[] = {
      {"SIZE 1000", 1000, "a limit"},
      {"size 1000", 1000, "lower case"},
      {"SIZE", std::nullopt, "no limit said"},
      {"SIZE 0", std::nullopt, "0: no fixed limit"},
      {"SIZE -1", std::nullopt, "not a number"},
      {"SIZE 10MB", std::nullopt, "not a number"},
      {"SIZE 99999999999999999999999", std::nullopt, "more than any message has"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Capabilities(Reply{250, {"mx.test", c.line}}).size_limit(), c.limit) << c.why;
  }
}

}  // namespace
}  // namespace pinnace::smtp
