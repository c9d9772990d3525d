#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sts/policy.hpp"
#include "sts/txt.hpp"

namespace pinnace::sts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// RFC 8461 3.1
TEST(StsTxt, ExactlyOneRecordToTheGrammar) {
  const struct {
    const char* why;
    std::vector<std::string> records;
    const char* id;  // null: no policy
  } cases[] = {
      {"the RFC's own", {"v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},
      {"no delimiter at the end", {"v=STSv1;id=1"}, "1"},
      {"blanks around delimiters", {"v=STSv1 ;\tid=1 ; "}, "1"},
      {"other records are discarded", {"v=spf1 -all", "v=STSv1; id=1;"}, "1"},
      {"unknown fields are ignored", {"v=STSv1; x-a.b_c=d; id=1;"}, "1"},
      {"the first id counts", {"v=STSv1; id=1; id=2;"}, "1"},
      {"32 characters", {"v=STSv1; id=" + std::string(32, 'a')}, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
      {"33 characters", {"v=STSv1; id=" + std::string(33, 'a')}, nullptr},
      {"no record", {}, nullptr},
      {"two records", {"v=STSv1; id=1;", "v=STSv1; id=1;"}, nullptr},
      {"no id", {"v=STSv1;"}, nullptr},
      {"only another field", {"v=STSv1; a=b"}, nullptr},
      {"an empty id", {"v=STSv1; id=;"}, nullptr},
      {"a hyphen in the id", {"v=STSv1; id=1-2;"}, nullptr},
      {"a bad id first, a good one behind", {"v=STSv1; id=1-2; id=3;"}, nullptr},
      {"another version", {"v=STSv2; id=1;"}, nullptr},
      {"the version is case-sensitive", {"V=STSv1; id=1;"}, nullptr},
      {"the version comes first", {"id=1; v=STSv1;"}, nullptr},
      {"a blank in front", {" v=STSv1; id=1;"}, nullptr},
      {"two delimiters", {"v=STSv1;; id=1;"}, nullptr},
      {"a field without a value", {"v=STSv1; id=1; x"}, nullptr},
      {"an empty value", {"v=STSv1; id=1; x=;"}, nullptr},
      {"a blank in a value", {"v=STSv1; id=1; x=a b;"}, nullptr},
      {"a control character", {std::string("v=STSv1; id=1; x=a\1;")}, nullptr},
      {"beyond ASCII", {"v=STSv1; id=1; x=\xc3\xbc;"}, nullptr},
      {"id is case-sensitive", {"v=STSv1; ID=1;"}, nullptr},
  };
  for (const auto& c : cases) {
    const ParsedTxt parsed = parse_txt(c.records);
    ASSERT_EQ(parsed.txt.has_value(), c.id != nullptr) << c.why;
    if (c.id) {
      EXPECT_EQ(parsed.txt->id, c.id) << c.why;
    } else {
      ASSERT_FALSE(parsed.problems.empty()) << c.why;
      EXPECT_THAT(parsed.problems[0], HasSubstr("RFC 8461 3")) << c.why;
    }
  }
}

// RFC 8461 3.2
TEST(StsPolicy, ToTheGrammar) {
  const std::string good = "version: STSv1\nmode: enforce\nmx: mx.x.test\nmax_age: 604800\n";
  const struct {
    const char* why;
    std::string body;
    bool valid;
  } cases[] = {
      {"LF", good, true},
      {"CRLF", "version: STSv1\r\nmode: testing\r\nmx: *.x.test\r\nmax_age: 1\r\n", true},
      {"no end of line at the end", "version:STSv1\nmode:enforce\nmx:mx.x.test\nmax_age:0", true},
      {"blanks behind values", "version: STSv1 \nmode: enforce\t\nmx:  mx.x.test\nmax_age: 1\n", true},
      {"any order", "max_age: 1\nmx: mx.x.test\nmode: enforce\nversion: STSv1\n", true},
      {"mode none needs no mx", "version: STSv1\nmode: none\nmax_age: 1\n", true},
      {"unknown fields", good + "x.y-z: any \xc3\xbc text\n", true},
      {"duplicates: the first counts", good + "mode: none\nmax_age: nonsense\n", true},
      {"the largest max_age", "version: STSv1\nmode: none\nmax_age: 31557600\n", true},
      {"one more", "version: STSv1\nmode: none\nmax_age: 31557601\n", false},
      {"11 digits", "version: STSv1\nmode: none\nmax_age: 00000000001\n", false},
      {"a negative one", "version: STSv1\nmode: none\nmax_age: -1\n", false},
      {"a bad one first", "version: STSv1\nmode: none\nmax_age: x\nmax_age: 1\n", false},
      {"no version", "mode: none\nmax_age: 1\n", false},
      {"another version", "version: STSv2\nmode: none\nmax_age: 1\n", false},
      {"no mode", "version: STSv1\nmx: a.test\nmax_age: 1\n", false},
      {"an unknown mode", "version: STSv1\nmode: Enforce\nmx: a.test\nmax_age: 1\n", false},
      {"no mx", "version: STSv1\nmode: enforce\nmax_age: 1\n", false},
      {"a pattern within a label", "version: STSv1\nmode: enforce\nmx: m*.x.test\nmax_age: 1\n", false},
      {"a blank line", "version: STSv1\n\nmode: none\nmax_age: 1\n", false},
      {"a blank in front", " version: STSv1\nmode: none\nmax_age: 1\n", false},
      {"a blank before the colon", "version : STSv1\nmode: none\nmax_age: 1\n", false},
      {"names are case-sensitive", "Version: STSv1\nmode: none\nmax_age: 1\n", false},
      {"a control character", good + "x: a\1b\n", false},
      {"an empty extension", good + "x:\n", false},
      {"broken UTF-8", good + "x: \xff\n", false},
      {"HTML", "<html></html>", false},
      {"nothing", "", false},
      {"more than 64 KiB", good + "x: " + std::string(kMaxBody, 'a') + "\n", false},
  };
  for (const auto& c : cases) {
    const ParsedPolicy parsed = parse_policy(c.body);
    EXPECT_EQ(parsed.policy.has_value(), c.valid) << c.why;
    if (!c.valid) {
      ASSERT_FALSE(parsed.problems.empty()) << c.why;
      EXPECT_THAT(parsed.problems[0], HasSubstr("RFC 8461 3.")) << c.why;
    }
  }
}

TEST(StsPolicy, ValuesAndWhatIsKeptApart) {
  const std::string pin = "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";
  const ParsedPolicy parsed =
      parse_policy("version: STSv1\nmode: testing\nmx: MX.x.test\nmx: *.y.test\nmax_age: 60\n" +
                   ("pin-sha256: " + pin) + "\npin-sha256: short\nx: y\nmode: none\n");
  ASSERT_TRUE(parsed.policy);
  const Policy& p = *parsed.policy;
  EXPECT_EQ(p.mode, Mode::testing);
  EXPECT_EQ(p.max_age, base::Seconds(60));
  ASSERT_EQ(p.pins.size(), 1U);
  EXPECT_EQ(p.pins[0].str(), pin);
  EXPECT_THAT(p.extensions, ElementsAre(names::TxtField{"x", "y"}));
  EXPECT_THAT(parsed.problems,
              ElementsAre(HasSubstr("pinning-protocol 4.3"), HasSubstr("mode occurs more than once")));
  // RFC 8461 4.1
  EXPECT_TRUE(p.lists("mx.x.test"));
  EXPECT_TRUE(p.lists("a.y.test"));
  EXPECT_FALSE(p.lists("b.a.y.test"));
  EXPECT_FALSE(p.lists("y.test"));
  EXPECT_THAT(parse_policy("version: STSv1\nmode: none\nmax_age: 1\n").problems, IsEmpty());
}

}  // namespace
}  // namespace pinnace::sts
