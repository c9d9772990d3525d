#include "app/check_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::app {
namespace {

using check::DomainReport;
using check::Item;
using check::Verdict;
using testing::HasSubstr;
using testing::Not;

DomainReport report(Verdict verdict, std::vector<check::AddressReport> addresses) {
  return {"x.test",
          verdict,
          "mail goes to mx.x.test over TLSv1.3",
          {{Item::mx, Verdict::good, "mx.x.test; signed", ""}},
          {{"mx.x.test", verdict, {}, std::move(addresses)}}};
}

const check::AddressReport kGood{"192.0.2.1", true, {{Item::tls, Verdict::good, "TLSv1.3", ""}}};
const check::AddressReport kBad{"192.0.2.2",
                                false,
                                {{Item::tls, Verdict::would_defer, "no STARTTLS", "Turn it on"},
                                 {Item::pkp, Verdict::note, "none advertised", "Put a gate before it"}}};

TEST(CheckTable, IsShort) {
  const DomainReport reports[] = {report(Verdict::warning, {kGood, kBad})};
  EXPECT_EQ(check_table(reports, {}),
            "▲ x.test  warning: mail goes to mx.x.test over TLSv1.3\n"
            "  ✔ MX           mx.x.test; signed\n"
            "\n"
            "  mx.x.test  192.0.2.1\n"
            "  ✔ TLS          TLSv1.3\n"
            "\n"
            "  mx.x.test  192.0.2.2\n"
            "  ✘ TLS          no STARTTLS\n"
            "                 → Turn it on\n"
            "  • Pins         none advertised. → Put a gate before it\n");
}

TEST(CheckTable, AddressesThatShowTheSameAreToldOfOnce) {
  check::AddressReport other = kGood;
  other.address = "2001:db8::1";
  const DomainReport reports[] = {report(Verdict::note, {other, kGood})};
  EXPECT_EQ(check_table(reports, {}),
            "✔ x.test  good: mail goes to mx.x.test over TLSv1.3\n"
            "  ✔ MX           mx.x.test; signed\n"
            "\n"
            "  mx.x.test  2001:db8::1, 192.0.2.1\n"
            "  ✔ TLS          TLSv1.3\n");
}

TEST(CheckTable, ManyDomainsAreCounted) {
  const DomainReport reports[] = {report(Verdict::good, {kGood}), report(Verdict::note, {kGood}),
                                  report(Verdict::would_defer, {kBad})};
  EXPECT_THAT(check_table(reports, {}), HasSubstr("\n3 domains: 1 would defer, 2 good\n"));
  EXPECT_THAT(check_table(std::span(reports).first(1), {}), Not(HasSubstr("domains:")));
}

TEST(CheckTable, ColourOnlyWhereItIsAskedFor) {
  const DomainReport reports[] = {report(Verdict::would_defer, {kBad})};
  EXPECT_THAT(check_table(reports, {}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(check_table(reports, {true, 0}), HasSubstr("\x1b[31m✘\x1b[0m"));
}

TEST(CheckTable, LinesAreBrokenBetweenWords) {
  check::AddressReport wide = kGood;
  wide.lines[0].text = "word word word word word word word word word word word word word word";
  const DomainReport reports[] = {report(Verdict::good, {wide})};
  EXPECT_THAT(check_table(reports, {false, 60}),
              HasSubstr("  ✔ TLS          word word word word word word word word\n"
                        "                 word word word word word word\n"));
}

// What a peer says cannot steer the terminal, wherever it stands.
TEST(CheckTable, PeersDoNotSteerTheTerminal) {
  const char* const hostile[] = {
      "\x1b[2J",          // ESC
      "a\r\n✔ all good",  // a line of its own
      "\xc2\x9bJ",        // U+009B, CSI
      "\xe2\x80\xae",     // U+202E, right to left
      "\xe2\x81\xa7",     // U+2067
      "\x9b\x07\x7f",     // no UTF-8, and BEL
  };
  for (const char* text : hostile) {
    check::AddressReport bad{text, false, {{Item::certificate, Verdict::warning, text, text}}};
    DomainReport one = report(Verdict::warning, {bad, kGood});
    one.summary = one.hosts[0].host = one.domain = text;
    const std::string table = check_table(std::span(&one, 1), {});
    for (const char* steering : {"\x1b", "\r", "\x07", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa7"})
      EXPECT_THAT(table, Not(HasSubstr(steering))) << testing::PrintToString(text);
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 9) << table;
  }
}

}  // namespace
}  // namespace pinnace::app
