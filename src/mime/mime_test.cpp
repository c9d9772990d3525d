#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mime/dsn.hpp"
#include "mime/header.hpp"
#include "mime/received.hpp"

namespace pinnace::mime {
namespace {

using testing::HasSubstr;
using testing::Not;

const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

TEST(HeaderScanner, CountsAndKeepsTheHeaderAtEveryCut) {
  const std::string header =
      "Received: from a\r\n\tby b\r\nRECEIVED: from c\r\nX-Received: no\r\nSubject: s\r\n";
  const std::string text = header + "\r\nReceived: in the body\r\n";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    HeaderScanner s;
    s.feed(text.substr(0, i));
    s.feed(text.substr(i));
    EXPECT_EQ(s.received(), 2);
    EXPECT_EQ(s.header(), header);
    EXPECT_FALSE(s.eight_bit());
  }
}

TEST(HeaderScanner, EightBitAnywhere) {
  for (const std::string text :
       {"Subject: \xc3\xbc\r\n\r\n", "a: b\r\n\r\nlong enough body with \xc3\xbc\r\n"}) {
    HeaderScanner s;
    s.feed(text);
    EXPECT_TRUE(s.eight_bit());
  }
}

TEST(HeaderScanner, MemoryIsBounded) {
  HeaderScanner s;
  for (int i = 0; i < 100; ++i) s.feed(std::string(10'000, 'x'));
  s.feed("\r\nSubject: s\r\n");
  EXPECT_LE(s.header().size(), HeaderScanner::kMaxHeader);
  for (int i = 0; i < 10'000; ++i) s.feed("Received: xxxxxxxxxxxxxxxxxxxxxxxx\r\n");
  EXPECT_EQ(s.received(), 10'000);
  EXPECT_LE(s.header().size(), HeaderScanner::kMaxHeader);
}

TEST(Received, ProtocolAndHostileName) {
  Trace t;
  t.client_name = "evil)\r\nX: y";
  t.client_ip = "2001:db8::1";
  t.by = "relay.test";
  t.id = "abc";
  t.recipient = "a@x.test";
  t.at = kNow;
  EXPECT_EQ(received_field(t),
            "Received: from evil???X:?y ([IPv6:2001:db8::1])\r\n\tby relay.test with ESMTP id abc\r\n"
            "\tfor <a@x.test>;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
  t.tls = true;
  t.tls_text = "TLSv1.3";
  EXPECT_THAT(received_field(t), HasSubstr("with ESMTPS id"));
  t.tls = t.extended = false;
  EXPECT_THAT(received_field(t), HasSubstr("with SMTP id"));
}

Dsn example() {
  Dsn d;
  d.reporting_mta = "relay.test";
  d.to = "from@sender.test";
  d.queue_id = "q1";
  d.arrived = kNow;
  d.now = kNow + std::chrono::days(5);
  d.expired = true;
  d.lifetime = std::chrono::days(5);
  d.recipients = {{"to@x.test", "4.7.5", "the key of mx.x.test does not match", "", "mx.x.test", true, kNow}};
  d.header = "Subject: hello\r\nFrom: a\r\n";
  d.token = "t0";
  return d;
}

TEST(Dsn, HasItsThreePartsAndSaysWhatHappened) {
  const std::string text = make_dsn(example()).text;
  for (const char* part :
       {"To: <from@sender.test>\r\n", "Auto-Submitted: auto-replied\r\n", "report-type=delivery-status",
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.test\r\n",
        "\r\n\r\nFinal-Recipient: rfc822; to@x.test\r\nAction: failed\r\nStatus: 4.7.5\r\n",
        "Remote-MTA: dns; mx.x.test\r\nDiagnostic-Code: X-Pinnace; the key of mx.x.test does not match\r\n",
        "Content-Type: text/rfc822-headers", "\r\n\r\nSubject: hello\r\nFrom: a\r\n\r\n--=_pinnace_t0--\r\n",
        "within 5d", "kept back to protect it"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Dsn, HostileRepliesStayInTheirPlace) {
  Dsn d = example();
  d.recipients[0].reply = "550 no\r\n\r\n--=_pinnace_t0--\r\nStatus: 2.0.0 \x01" + std::string(3000, 'x');
  d.recipients[0].status = "5.1.1";
  const DsnText out = make_dsn(d);
  EXPECT_THAT(out.text, Not(HasSubstr("\r\nStatus: 2.0.0")));
  EXPECT_THAT(out.text, Not(HasSubstr("\r\n--=_pinnace_t0--\r\nStatus")));
  std::size_t start = 0;
  for (std::size_t end; (end = out.text.find("\r\n", start)) != std::string::npos; start = end + 2) {
    EXPECT_LE(end - start, 998U);
  }
  EXPECT_FALSE(out.eight_bit);
  d.header = "Subject: \xc3\xbc\r\n";
  EXPECT_TRUE(make_dsn(d).eight_bit);
}

}  // namespace
}  // namespace pinnace::mime
