#include "names/txt_strings.hpp"

#include <gtest/gtest.h>

namespace pinnace::names {
namespace {

// RFC 1035 5.1, RFC 8461 3.1
TEST(TxtStrings, AreJoinedWithoutBlanks) {
  const struct {
    const char* text;
    const char* joined;  // null: it is no quoted strings
  } cases[] = {
      {"\"v=STSv1; id=1;\"", "v=STSv1; id=1;"},
      {"\"v=STSv1; \" \"id=1;\"", "v=STSv1; id=1;"},
      {"\"v=STS\"\t\"v1;\"\"id=1\" ", "v=STSv1;id=1"},
      {"\"a\\\"b\\\\c\\059d\"", "a\"b\\c;d"},
      {"\"\"", ""},
      {"v=STSv1; id=1;", nullptr},
      {"", nullptr},
      {"\"v=STSv1; id=1;", nullptr},
      {"\"v=STSv1;\" id=1;", nullptr},
      {"\"a\\25\"", nullptr},
      {"\"a\\256\"", nullptr},
      {"\"a\\", nullptr},
      {" \"a\"", nullptr},
  };
  for (const auto& c : cases) {
    const auto joined = joined_strings(c.text);
    ASSERT_EQ(joined.has_value(), c.joined != nullptr) << c.text;
    if (joined) {
      EXPECT_EQ(*joined, c.joined) << c.text;
    }
  }
}

}  // namespace
}  // namespace pinnace::names
