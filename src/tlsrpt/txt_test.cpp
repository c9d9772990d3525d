#include "tlsrpt/txt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::tlsrpt {
namespace {

using testing::HasSubstr;

// RFC 8460 3
TEST(TlsrptTxt, ExactlyOneRecordToTheGrammar) {
  using List = std::vector<std::string>;
  const struct {
    const char* why;
    List records;
    List rua;  // empty: no reports
  } cases[] = {
      {"the RFC's own", {"v=TLSRPTv1;rua=mailto:reports@x.test"}, {"mailto:reports@x.test"}},
      {"two URIs",
       {"v=TLSRPTv1; rua=mailto:a@x.test , https://x.test/v1"},
       {"mailto:a@x.test", "https://x.test/v1"}},
      {"a delimiter at the end", {"v=TLSRPTv1; rua=https://x.test/?a=b;"}, {"https://x.test/?a=b"}},
      {"an extension", {"v=TLSRPTv1; x=y; rua=mailto:a@x.test"}, {"mailto:a@x.test"}},
      {"a scheme in capitals", {"v=TLSRPTv1; rua=MAILTO:a@x.test"}, {"MAILTO:a@x.test"}},
      {"another scheme is passed over",
       {"v=TLSRPTv1; rua=ftp://x.test,mailto:a@x.test"},
       {"mailto:a@x.test"}},
      {"another scheme alone", {"v=TLSRPTv1; rua=ftp://x.test"}, {}},
      {"http is not https", {"v=TLSRPTv1; rua=http://x.test"}, {}},
      {"no URI", {"v=TLSRPTv1; rua=a@x.test"}, {}},
      {"an empty one", {"v=TLSRPTv1; rua=mailto:a@x.test,"}, {}},
      {"a blank behind rua=", {"v=TLSRPTv1; rua= mailto:a@x.test"}, {}},
      {"a blank at the end of the record", {"v=TLSRPTv1; rua=mailto:a@x.test "}, {}},
      {"a blank within a URI", {"v=TLSRPTv1; rua=mailto:a@x.test b"}, {}},
      {"an exclamation mark", {"v=TLSRPTv1; rua=mailto:a@x.test!10m"}, {}},
      {"a semicolon", {"v=TLSRPTv1; rua=https://x.test/a;b"}, {}},
      {"a comma", {"v=TLSRPTv1; rua=mailto:a@x.test,b@x.test"}, {}},
      {"all three escaped", {"v=TLSRPTv1; rua=https://x.test/%2C%21%3B"}, {"https://x.test/%2C%21%3B"}},
      {"rua twice",
       {"v=TLSRPTv1; rua=mailto:a@x.test; rua=mailto:b@x.test"},
       {"mailto:a@x.test", "mailto:b@x.test"}},
      {"one of two is no URI", {"v=TLSRPTv1; rua=mailto:a@x.test,nothing"}, {}},
      {"no address", {"v=TLSRPTv1; rua=mailto:"}, {}},
      {"the version is case-sensitive", {"v=tlsrptv1; rua=mailto:a@x.test"}, {}},
      {"rua is case-sensitive", {"v=TLSRPTv1; RUA=mailto:a@x.test"}, {}},
      {"an equals sign in an extension", {"v=TLSRPTv1; rua=mailto:a@x.test; x=a=b"}, {}},
      {"two delimiters", {"v=TLSRPTv1;; rua=mailto:a@x.test"}, {}},
      {"other records are discarded", {"v=spf1 -all", "v=TLSRPTv1;rua=mailto:a@x.test"}, {"mailto:a@x.test"}},
      {"no rua", {"v=TLSRPTv1; x=y"}, {}},
      {"nothing behind the version", {"v=TLSRPTv1;"}, {}},
      {"two records", {"v=TLSRPTv1; rua=mailto:a@x.test", "v=TLSRPTv1; rua=mailto:a@x.test"}, {}},
      {"an exclamation mark that is not escaped", {"v=TLSRPTv1; rua=mailto:a!10m@x.test"}, {}},
      {"another version", {"v=TLSRPTv2; rua=mailto:a@x.test"}, {}},
      {"a control character", {"v=TLSRPTv1; rua=mailto:a\r@x.test"}, {}},
      {"none", {}, {}},
  };
  for (const auto& c : cases) {
    const ParsedTxt parsed = parse_txt(c.records);
    ASSERT_EQ(parsed.txt.has_value(), !c.rua.empty()) << c.why;
    if (parsed.txt) {
      EXPECT_EQ(parsed.txt->rua, c.rua) << c.why;
    } else {
      ASSERT_FALSE(parsed.problems.empty()) << c.why;
      EXPECT_THAT(parsed.problems[0], HasSubstr("RFC 8460 3")) << c.why;
    }
  }
}

}  // namespace
}  // namespace pinnace::tlsrpt
