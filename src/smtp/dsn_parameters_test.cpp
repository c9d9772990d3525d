#include "smtp/dsn_parameters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::smtp {
namespace {

using names::Return;

constexpr const char* kRefused = "refused";

// What a command says again of the parameters it was given; or that they are refused.
std::string mail(const std::string& parameters) {
  const auto parsed = parse_mail("FROM:<a@x.test> " + parameters);
  if (!parsed) return "no command";
  MailDsn dsn;
  for (const Parameter& p : parsed->parameters) {
    const auto taken = dsn.take(p);
    if (!taken) return kRefused;
    if (!*taken) return "not mine: " + p.keyword;
  }
  return dsn.parameters();
}

std::string rcpt(const std::string& parameters, bool smtputf8 = false) {
  const auto parsed = parse_rcpt("TO:<a@x.test> " + parameters, "mx.test");
  if (!parsed) return "no command";
  RcptDsn dsn;
  for (const Parameter& p : parsed->parameters) {
    const auto taken = dsn.take(p, smtputf8);
    if (!taken) return kRefused;
    if (!*taken) return "not mine: " + p.keyword;
  }
  return dsn.parameters(smtputf8);
}

TEST(DsnParameters, OfMail) {
  const struct {
    std::string given;
    std::string said;
    const char* why;
  } cases[] = {
      {"", "", "nothing asked, nothing made up"},
      {"RET=FULL", " RET=FULL", "RFC 3461 4.3"},
      {"ret=hdrs", " RET=HDRS", "RFC 3461 4.3: any case"},
      {"RET=", "no command", "a value is due"},
      {"RET", kRefused, "a value is due"},
      {"RET=HEADERS", kRefused, "RFC 3461 4.3"},
      {"RET=FULL RET=FULL", kRefused, "RFC 3461 4.5: once"},
      {"ENVID=QQ314159", " ENVID=QQ314159", "RFC 3461 4.4"},
      {"ENVID=a+3Db+2Bc+20d", " ENVID=a+3Db+2Bc+20d", "as it came (RFC 3461 5.2.1 a)"},
      {"ENVID=a RET=HDRS", " RET=HDRS ENVID=a", "both"},
      {"ENVID", kRefused, "a value is due"},
      {"ENVID=a ENVID=b", kRefused, "RFC 3461 4.5: once"},
      {"ENVID=a=b", kRefused, "RFC 3461 4: '=' is no xchar"},
      {"ENVID=a+3", kRefused, "half a hexchar"},
      {"ENVID=+3d", kRefused, "RFC 3461 4: upper case"},
      {"ENVID=+0D+0AX-Evil:+201", kRefused, "RFC 3461 4.4: printable; a line end would end a DSN's field"},
      {"ENVID=+00", kRefused, "RFC 3461 4.4: printable"},
      {"ENVID=+C3+BC", kRefused, "RFC 3461 4.4: ASCII"},
      {"ENVID=\xc3\xbc", kRefused, "RFC 3461 4: ASCII"},
      {"ENVID=" + std::string(100, 'x'), " ENVID=" + std::string(100, 'x'), "RFC 3461 5.4 a"},
      {"ENVID=" + std::string(101, 'x'), kRefused, "RFC 3461 4.4"},
      {"NOTIFY=NEVER", "not mine: NOTIFY", "of RCPT"},
  };
  for (const auto& c : cases) EXPECT_EQ(mail(c.given), c.said) << c.given << ": " << c.why;
}

TEST(DsnParameters, OfRcpt) {
  const std::string longest = "rfc822;" + std::string(493, 'x');
  const struct {
    std::string given;
    std::string said;
    const char* why;
  } cases[] = {
      {"", "", "nothing asked, nothing made up"},
      {"NOTIFY=NEVER", " NOTIFY=NEVER", "RFC 3461 4.1"},
      {"notify=success,Failure,DELAY", " NOTIFY=SUCCESS,FAILURE,DELAY", "RFC 3461 4.1: any case"},
      {"NOTIFY=DELAY,SUCCESS", " NOTIFY=SUCCESS,DELAY", "in any order"},
      {"NOTIFY=FAILURE,FAILURE", " NOTIFY=FAILURE", "RFC 3461 4.1: 1#, so twice is once"},
      {"NOTIFY=,FAILURE,,DELAY,", " NOTIFY=FAILURE,DELAY", "RFC 822 2.7: null elements do not count"},
      {"NOTIFY=,", kRefused, "RFC 822 2.7: at least one"},
      {"NOTIFY=NEVER,FAILURE", kRefused, "RFC 3461 4.1: NEVER by itself"},
      {"NOTIFY=FAILURE,NEVER", kRefused, "RFC 3461 4.1: NEVER by itself"},
      {"NOTIFY=NEVER,NEVER", kRefused, "RFC 3461 4.1: NEVER by itself"},
      {"NOTIFY=ALWAYS", kRefused, "RFC 3461 4.1"},
      {"NOTIFY=SUCCESS;DELAY", kRefused, "RFC 3461 4.1"},
      {"NOTIFY", kRefused, "a value is due"},
      {"NOTIFY=DELAY NOTIFY=DELAY", kRefused, "RFC 3461 4.5: once"},
      {"ORCPT=rfc822;Bob@Example.org", " ORCPT=rfc822;Bob@Example.org", "RFC 3461 5.2.1 d: its case is kept"},
      {"ORCPT=RFC822;a+2Bb@x.test", " ORCPT=RFC822;a+2Bb@x.test", "as it came"},
      {"ORCPT=x400;/C=GB/", kRefused, "RFC 3461 4: '=' must be encoded"},
      {"ORCPT=x400;/C+3DGB/", " ORCPT=x400;/C+3DGB/", "another address type"},
      {"ORCPT=rfc822;", " ORCPT=rfc822;", "RFC 3461 4: xtext may be empty"},
      {"ORCPT=rfc822;a;b", " ORCPT=rfc822;a;b", "the first ';' parts"},
      {"ORCPT=bob@example.org", kRefused, "RFC 3461 4.2: the type"},
      {"ORCPT=;bob@example.org", kRefused, "RFC 3461 4.2: the type"},
      {"ORCPT=rf(c)822;bob@example.org", kRefused, "RFC 3461 4.2: an atom"},
      {"ORCPT", kRefused, "a value is due"},
      {"ORCPT=rfc822;a ORCPT=rfc822;a", kRefused, "RFC 3461 4.5: once"},
      {"ORCPT=rfc822;a+0Ab", kRefused, "RFC 3461 4.2: printable"},
      {"ORCPT=rfc822;a+7Fb", kRefused, "RFC 3461 4.2: printable"},
      {"ORCPT=rfc822;a+20+09b", " ORCPT=rfc822;a+20+09b", "RFC 3461 4.2: white space is printable"},
      {"ORCPT=" + longest, " ORCPT=" + longest, "RFC 3461 5.4 c"},
      {"ORCPT=" + longest + "x", kRefused, "RFC 3461 4.2"},
      {"ORCPT=rfc822;a NOTIFY=NEVER", " NOTIFY=NEVER ORCPT=rfc822;a", "both"},
      {"ORCPT=utf-8;b\\x{FC}@x.test", " ORCPT=utf-8;b\\x{FC}@x.test", "RFC 6533 3: 7-bit form"},
      {"ORCPT=utf-8;b\xc3\xbc@x.test", kRefused, "RFC 6533 3: only with SMTPUTF8"},
      {"ORCPT=rfc822;b\xc3\xbc@x.test", kRefused, "RFC 3461 4: ASCII"},
      {"RET=FULL", "not mine: RET", "of MAIL"},
  };
  for (const auto& c : cases) EXPECT_EQ(rcpt(c.given), c.said) << c.given << ": " << c.why;
}

// RFC 6533 3
TEST(DsnParameters, Utf8Addresses) {
  const struct {
    std::string given;
    std::string said;
    const char* why;
  } cases[] = {
      {"ORCPT=utf-8;b\xc3\xbc@x.test", " ORCPT=utf-8;b\xc3\xbc@x.test", "as it is"},
      {"ORCPT=UTF-8;b\xc3\xbc", " ORCPT=UTF-8;b\xc3\xbc", "types in any case"},
      {"ORCPT=utf-8;b\\x{2B}\xc3\xbc", " ORCPT=utf-8;b\\x{2B}\xc3\xbc", "both forms"},
      {"ORCPT=rfc822;b\xc3\xbc", kRefused, "of another type"},
      {"ORCPT=utf-8;b\xc3", kRefused, "half a character"},
      {"ORCPT=utf-8;b\xff", kRefused, "not UTF-8"},
      {"ORCPT=utf-8;b\xc2\x85", kRefused, "a control character"},
      {"ORCPT=utf-8;b+0A\xc3\xbc", kRefused, "a control character"},
      {"ORCPT=utf-8;+3\xc3\xbc"
       "D",
       kRefused, "a hexchar torn apart"},
      {"ORCPT=\xc3\xbc;b", kRefused, "the type is an atom"},
  };
  for (const auto& c : cases) EXPECT_EQ(rcpt(c.given, true), c.said) << c.given << ": " << c.why;
  RcptDsn dsn;
  dsn.orcpt = "utf-8;\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x98@x.test";
  EXPECT_EQ(dsn.parameters(false), " ORCPT=utf-8;\\x{FC}\\x{20AC}\\x{1F418}@x.test")
      << "to a server without SMTPUTF8";
}

TEST(DsnParameters, OriginalRecipientIsDecoded) {
  EXPECT_EQ(original_recipient("rfc822;a+2Bb+20c@x.test"), "rfc822;a+b c@x.test");
  EXPECT_EQ(original_recipient("rfc822;"), "rfc822;");
  EXPECT_EQ(original_recipient("utf-8;a\xc3\xbc@x.test"), "utf-8;a\\x{FC}@x.test");
  EXPECT_EQ(original_recipient("utf-8;a+2B@x.test"), "utf-8;a+2B@x.test") << "RFC 6533 3: not altered";
}

}  // namespace
}  // namespace pinnace::smtp
