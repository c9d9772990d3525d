#include "smtp/command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::smtp {
namespace {

// RFC 5321 2.4, 4.1.1
TEST(Command, VerbsInAnyCase) {
  const struct {
    const char* line;
    Verb verb;
    const char* argument;
  } cases[] = {
      {"EHLO c.test", Verb::ehlo, "c.test"},
      {"ehlo c.test", Verb::ehlo, "c.test"},
      {"HeLo c.test  ", Verb::helo, "c.test"},
      {"StartTLS", Verb::starttls, ""},
      {"MAIL FROM:<a@x.test> SIZE=1", Verb::mail, "FROM:<a@x.test> SIZE=1"},
      {"RCPT TO:<a@x.test>", Verb::rcpt, "TO:<a@x.test>"},
      {"DATA\t", Verb::data, ""},
      {"RSET", Verb::rset, ""},
      {"NOOP a b", Verb::noop, "a b"},
      {"QUIT", Verb::quit, ""},
      {"VRFY a", Verb::vrfy, "a"},
      {"HELP", Verb::help, ""},
      {"bdat 5 LAST", Verb::bdat, "5 LAST"},
      {"EXPN a", Verb::expn, "a"},
      {"ETRN x.test", Verb::etrn, "x.test"},
      {" NOOP", Verb::unknown, "NOOP"},
      {"NOOPX", Verb::unknown, ""},
      {"STARTTLSX", Verb::unknown, ""},
      {"", Verb::unknown, ""},
      {"   ", Verb::unknown, ""},
  };
  for (const auto& c : cases) {
    const Command command = parse_command(c.line);
    EXPECT_EQ(command.verb, c.verb) << c.line;
    EXPECT_EQ(command.argument, c.argument) << c.line;
  }
}

// RFC 3030 2
TEST(Command, ChunkSizes) {
  const struct {
    const char* argument;
    std::optional<std::uint64_t> size;  // none: refused
    bool last;
    const char* why;
  } cases[] = {
      {"0", 0, false, "nothing is a chunk"},
      {"86 LAST", 86, true, "the end"},
      {"86 last", 86, true, "RFC 5321 2.4: any case"},
      {"0 LAST", 0, true, "the end alone"},
      {"007", 7, false, "1*DIGIT"},
      {"18446744073709551615", 18446744073709551615U, false, "as large as 64 bits have it"},
      {"18446744073709551616", std::nullopt, false, "one more"},
      {"99999999999999999999999 LAST", std::nullopt, false, "far more"},
      {"", std::nullopt, false, "no size"},
      {"LAST", std::nullopt, false, "no size"},
      {"-1", std::nullopt, false, "no number"},
      {"+1", std::nullopt, false, "no number"},
      {"0x10", std::nullopt, false, "no decimal number"},
      {"1.5", std::nullopt, false, "no whole number"},
      {"5LAST", std::nullopt, false, "no space"},
      {"5  LAST", std::nullopt, false, "two spaces"},
      {"5 LAST x", std::nullopt, false, "more behind it"},
      {"5 FIRST", std::nullopt, false, "another word"},
      {" 5", std::nullopt, false, "two spaces"},
  };
  for (const auto& c : cases) {
    const auto chunk = parse_bdat(c.argument);
    ASSERT_EQ(chunk.has_value(), c.size.has_value()) << c.argument << ": " << c.why;
    if (!chunk) continue;
    EXPECT_EQ(chunk->size, *c.size) << c.why;
    EXPECT_EQ(chunk->last, c.last) << c.why;
  }
}

// RFC 5321 4.1.1.2, 4.1.2
TEST(Command, Paths) {
  const struct {
    std::string argument;
    std::optional<std::string> path;  // none: refused
    const char* why;
  } cases[] = {
      {"FROM:<a@X.test>", "a@x.test", "plain"},
      {"from:<A@x.test>", "A@x.test", "the local-part keeps its case"},
      {"FROM:<>", "", "null reverse-path"},
      {"FROM: <a@x.test>", "a@x.test", "commonly sent space"},
      {"FROM:<@r.test,@s.test:a@x.test>", "a@x.test", "RFC 5321 4.1.1.3: source route dropped"},
      {"FROM:<\"a>b\"@x.test>", "\"a>b\"@x.test", "bracket in quotes"},
      {"FROM:<\"a\\\"> b\"@x.test>", "\"a\\\"> b\"@x.test", "quote and bracket in quotes"},
      {"FROM:<\"a\"@x.test>", "a@x.test", "quotes that are not needed"},
      {"FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]", "RFC 5321 4.1.3"},
      {"FROM:<a@[IPv6:2001:DB8::1]>", "a@[IPv6:2001:db8::1]", "RFC 5321 4.1.3"},
      {"FROM:<" + std::string(64, 'a') + "@x.test>", std::string(64, 'a') + "@x.test", "RFC 5321 4.5.3.1.1"},
      {"FROM:a@x.test", std::nullopt, "no brackets"},
      {"FROM:<a@x.test", std::nullopt, "open bracket"},
      {"FROM:<\"a@x.test>", std::nullopt, "open quote"},
      {"FROM:<a@x.test>SIZE=5", std::nullopt, "no space"},
      {"FROM:<a@x.test>>", std::nullopt, "two brackets"},
      {"FROM:<<a@x.test>>", std::nullopt, "two brackets"},
      {"FROM:<a>", std::nullopt, "no domain"},
      {"FROM:<postmaster>", std::nullopt, "only a recipient needs no domain"},
      {"FROM:<a@>", std::nullopt, "empty domain"},
      {"FROM:<@x.test>", std::nullopt, "no local-part"},
      {"FROM:<@x.test:>", std::nullopt, "a route to nowhere"},
      {"FROM:<a b@x.test>", std::nullopt, "space"},
      {"FROM:<a@x.test\r\nRCPT TO:<b@x.test>", std::nullopt, "CR and LF"},
      {"FROM:<" + std::string(65, 'a') + "@x.test>", std::nullopt, "RFC 5321 4.5.3.1.1"},
      {"TO:<a@x.test>", std::nullopt, "wrong verb"},
      {"FROM", std::nullopt, "no colon"},
      {"", std::nullopt, "nothing"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_mail(c.argument);
    ASSERT_EQ(parsed.has_value(), c.path.has_value()) << c.argument;
    if (parsed) {
      EXPECT_EQ(parsed->path, *c.path) << c.why;
      EXPECT_TRUE(parsed->ascii);
    }
  }
}

// RFC 5321 4.5.3.1.3
TEST(Command, APathOf256OctetsAndNotOneMore) {
  const std::string label(63, 'b');
  const std::string domain = label + "." + label + "." + label;  // 191
  for (const std::size_t local : {62U, 63U}) {
    const auto parsed = parse_mail("FROM:<" + std::string(local, 'a') + "@" + domain + ">");
    EXPECT_EQ(parsed.has_value(), local == 62) << "2 brackets, " << local << ", '@', 191";
  }
}

// RFC 6531 3.3
TEST(Command, AddressesBeyondAscii) {
  EXPECT_FALSE(parse_mail("FROM:<\xc3\xbc@x.test>")->ascii);
  EXPECT_EQ(parse_mail("FROM:<a@b\xc3\xbc"
                       "cher.test>")
                ->path,
            "a@xn--bcher-kva.test");
  EXPECT_FALSE(parse_mail("FROM:<a@b\xc3\xbc"
                          "cher.test>")
                   ->ascii)
      << "as it came";
  EXPECT_FALSE(parse_mail("FROM:<\xff@x.test>")) << "not UTF-8";
}

TEST(Command, Recipients) {
  EXPECT_EQ(parse_rcpt("TO:<b@y.test>", "mx.test")->path, "b@y.test");
  EXPECT_EQ(parse_rcpt("to:<PostMaster>", "mx.test")->path, "postmaster@mx.test") << "RFC 5321 4.1.1.3";
  EXPECT_FALSE(parse_rcpt("TO:<>", "mx.test"));
  EXPECT_FALSE(parse_rcpt("FROM:<b@y.test>", "mx.test"));
}

// RFC 5321 4.1.1.11, 4.1.2
TEST(Command, Parameters) {
  const struct {
    std::string text;
    bool good;
    const char* why;
  } cases[] = {
      {" SIZE=5", true, "with a value"},
      {" SMTPUTF8", true, "without"},
      {" AUTH=<>", true, "any printable value"},
      {" ORCPT=rfc822;a=b", true, "an '=' in a value, as many write it"},
      {"  SIZE=5  ", true, "more spaces"},
      {" size=5 X-a=1", true, "any case, hyphens"},
      {" S!ZE=5", false, "no keyword"},
      {" =5", false, "empty keyword"},
      {" -A=5", false, "begins with a hyphen"},
      {" SIZE=", false, "empty value"},
      {std::string(" A=\x01", 4), false, "control character"},
      {"\tSIZE=5", false, "a tab"},
      {" A=\x7f", false, "DEL"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(parse_mail("FROM:<a@x.test>" + c.text).has_value(), c.good) << c.why;
  }
  const auto parsed = parse_mail("FROM:<a@x.test> size=5 BODY=8bitMIME SMTPUTF8");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->parameters.size(), 3U);
  EXPECT_EQ(parsed->parameters[0].keyword, "SIZE");
  EXPECT_EQ(parsed->parameters[0].value, "5");
  EXPECT_EQ(parsed->parameters[1].value, "8bitMIME") << "a value keeps its case";
  EXPECT_FALSE(parsed->parameters[2].has_value);
  std::string many = "FROM:<a@x.test>";
  for (int i = 0; i < 20; ++i) many += " A";
  EXPECT_TRUE(parse_mail(many));
  EXPECT_FALSE(parse_mail(many + " A"));
}

}  // namespace
}  // namespace pinnace::smtp
