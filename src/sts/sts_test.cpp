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
      {"no blank is the delimiter's at the end of the record", {"v=STSv1; id=1 "}, nullptr},
      {"a delimiter with blanks is", {"v=STSv1; id=1 ; "}, "1"},
      {"two delimiters at the end", {"v=STSv1; id=1;;"}, nullptr},
      {"a blank before the equals sign", {"v=STSv1; id =1;"}, nullptr},
      {"a blank behind it", {"v=STSv1; id= 1;"}, nullptr},
      {"of several, one that begins with \"v=STSv1 ;\" is discarded",
       {"v=STSv1 ; id=1", "v=STSv1; id=2"},
       "2"},
      {"and none is left", {"v=STSv1 ; id=1", "v=spf1 -all"}, nullptr},
      {"an id once more, whatever it is", {"v=STSv1; id=1; id=1-2;"}, "1"},
      {"but not none", {"v=STSv1; id=1; id=;"}, nullptr},
      {"the version once more", {"v=STSv1; v=STSv2; id=1;"}, "1"},
      {"a name of 32 characters", {"v=STSv1; id=1; " + std::string(32, 'x') + "=a"}, "1"},
      {"a name of 33 characters", {"v=STSv1; id=1; " + std::string(33, 'x') + "=a"}, nullptr},
      {"a name that begins with '_'", {"v=STSv1; id=1; _x=a"}, nullptr},
      {"an equals sign in a value", {"v=STSv1; id=1; x=a=b"}, nullptr},
      {"a NUL", {std::string("v=STSv1; id=1\0;", 15)}, nullptr},
      {"a carriage return at the end", {"v=STSv1; id=1;\r"}, nullptr},
      {"only the version", {"v=STSv1"}, nullptr},
      {"no semicolon", {"v=STSv1 id=1"}, nullptr},
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
      {"CR alone", "version: STSv1\rmode: none\rmax_age: 1\r", false},
      {"CR at the end with no LF", "version: STSv1\nmode: none\nmax_age: 1\r", false},
      {"CR twice", "version: STSv1\r\r\nmode: none\nmax_age: 1\n", false},
      {"an empty line at the end", good + "\n", false},
      {"a line of blanks", good + "  \n", false},
      {"a byte order mark", "\xef\xbb\xbf" + good, false},
      {"a NUL", good + std::string("x: a\0b\n", 7), false},
      {"a tab behind the colon", "version:\tSTSv1\nmode: \t none\nmax_age:1\n", true},
      {"a tab within a value", good + "x: a\tb\n", false},
      {"a colon in a value", good + "x: a:b: c\n", true},
      {"a name of 33 characters", good + std::string(33, 'x') + ": a\n", false},
      {"a name beyond ASCII", good + "\xc3\xbc: a\n", false},
      {"a duplicate of nothing", good + "mode:\n", false},
      {"the version twice", good + "version: STSv2\n", true},
      {"10 digits", "version: STSv1\nmode: none\nmax_age: 0000000001\n", true},
      {"a sign", "version: STSv1\nmode: none\nmax_age: +1\n", false},
      {"a comment behind a value", "version: STSv1\nmode: none\nmax_age: 1 ; a second\n", false},
      {"mode none with mx", "version: STSv1\nmode: none\nmx: a.test\nmax_age: 1\n", true},
      {"mode none with a bad mx", "version: STSv1\nmode: none\nmx: a_b\nmax_age: 1\n", false},
      {"two names in an mx", "version: STSv1\nmode: enforce\nmx: a.test b.test\nmax_age: 1\n", false},
      {"an empty mx", "version: STSv1\nmode: enforce\nmx:\nmax_age: 1\n", false},
      {"64 KiB", good + "x: " + std::string(kMaxBody - good.size() - 3, 'a'), true},
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

TEST(StsTxt, TheFirstOfAFieldCounts) {
  const std::vector<std::string> record = {"v=STSv1; x=1; id=a; X=2; x=3; id=b"};
  const ParsedTxt parsed = parse_txt(record);
  ASSERT_TRUE(parsed.txt);
  EXPECT_THAT(parsed.txt->extensions, ElementsAre(names::TxtField{"x", "1"}, names::TxtField{"X", "2"}));
  EXPECT_THAT(parsed.problems, ElementsAre(HasSubstr("x occurs more"), HasSubstr("id occurs more")));
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
