#include "mime/dsn.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

using testing::HasSubstr;
using testing::Not;

const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
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
  d.recipients = {{"to@x.test", "4.7.5", "mx.x.test does not match its pins", "", "mx.x.test", true, d.now}};
  d.returned = "Subject: hello\r\nFrom: a\r\n";
  d.token = "t0";
  return d;
}

Dsn refused(std::string status, std::string reply) {
  Dsn d = example();
  d.expired = false;
  d.recipients[0] = {
      "to@x.test", std::move(status), "mx.x.test refuses it", std::move(reply), "mx.x.test", false, kNow};
  return d;
}

// RFC 3464 2, RFC 6522 3; pinning-protocol 6
TEST(Dsn, OfAMessageThatWasHeldBackToProtectIt) {
  const DsnText dsn = make_dsn(example());
  EXPECT_EQ(dsn.text, crlf(R"(Date: Sun, 19 Nov 2023 22:13:20 +0000
From: Mail Delivery System <MAILER-DAEMON@relay.test>
To: <from@sender.test>
Subject: Undelivered mail returned to sender
Message-ID: <t0@relay.test>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="=_pinnace_t0"
Content-Transfer-Encoding: 7bit

--=_pinnace_t0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

This is the mail system at relay.test.

Your message of Tue, 14 Nov 2023 22:13:20 +0000 was not delivered to the
recipient below.

<to@x.test>
    The message was held back to protect it. No server that answered for
    this recipient met what the right one had promised, which is an
    encrypted connection with a key known to be its own. So the message was
    handed to none of them. It was tried again for 5 days and is given up
    now.
    What went wrong: mx.x.test does not match its pins
    What you can do: Either the recipient's mail server changed its key
    without announcing it, or somebody stood in between and tried to receive
    its mail. Tell the recipient by another way than mail, so that the
    administrators of that server can look into it, and send the message
    again when they have.

Only the headers of your message are returned. If you need help, write to
postmaster@relay.test and name q1.

--=_pinnace_t0
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Reporting-MTA: dns; relay.test
X-Pinnace-Queue-ID: q1
Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000

Final-Recipient: rfc822; to@x.test
Action: failed
Status: 4.7.5
Remote-MTA: dns; mx.x.test
Diagnostic-Code: X-Pinnace; mx.x.test does not match its pins
Last-Attempt-Date: Sun, 19 Nov 2023 22:13:20 +0000

--=_pinnace_t0
Content-Type: text/rfc822-headers; charset=utf-8
Content-Transfer-Encoding: 7bit

Subject: hello
From: a

--=_pinnace_t0--
)"));
  EXPECT_FALSE(dsn.eight_bit);
}

TEST(Dsn, OfARefusal) {
  const std::string text = make_dsn(refused("5.1.1", "550 5.1.1 no such user")).text;
  for (const char* part :
       {"    The message was refused. This is final: it will not be tried again.\r\n",
        "    The receiving server's words: 550 5.1.1 no such user\r\n", "Check the address",
        "\r\nStatus: 5.1.1\r\n", "\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("protect")));
}

TEST(Dsn, AdviceFitsTheStatus) {
  const std::pair<const char*, const char*> cases[] = {
      {"5.1.2", "Check the address"}, {"5.2.2", "mailbox is full"},       {"5.2.3", "too large"},
      {"5.3.4", "too large"},         {"5.7.1", "refuses it by its own"}, {"5.0.0", "administrators"},
  };
  for (const auto& [status, advice] : cases) {
    EXPECT_THAT(make_dsn(refused(status, "no")).text, HasSubstr(advice)) << status;
  }
}

// RFC 3463 3.5: the delivery time is over; but a refusal that came last is a refusal.
TEST(Dsn, AtTheEndOfTheLifetimeTheStatusSaysSo) {
  Dsn d = refused("4.4.1", "");
  d.expired = true;
  d.recipients.push_back({"other@x.test", "5.1.1", "refused", "550 no", "mx.x.test", false, kNow});
  const std::string text = make_dsn(d).text;
  EXPECT_THAT(text, HasSubstr("Final-Recipient: rfc822; to@x.test\r\nAction: failed\r\nStatus: 4.4.7\r\n"));
  EXPECT_THAT(text,
              HasSubstr("Final-Recipient: rfc822; other@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
  EXPECT_THAT(text,
              HasSubstr("could not be delivered. It was tried again for 5 days and is\r\n    given up now."));
  EXPECT_THAT(text, HasSubstr("The message was refused. This is final"));
  EXPECT_THAT(text, HasSubstr("to the\r\nrecipients below."));
}

TEST(Dsn, LifetimesInWords) {
  const std::pair<long long, const char*> cases[] = {
      {3, "tried again for 3 seconds"},
      {86400, "tried again for 1 day"},
      {5400, "tried again for 1 hour 30 minutes"},
      {93784, "tried again for 1 day 2 hours"},
      {0, "tried again for no time"},
  };
  for (const auto& [seconds, said] : cases) {
    Dsn d = refused("4.4.1", "");
    d.expired = true;
    d.lifetime = base::Seconds(seconds);
    std::string text = make_dsn(d).text;
    for (std::size_t at; (at = text.find("\r\n    ")) != std::string::npos;) text.replace(at, 6, " ");
    EXPECT_THAT(text, HasSubstr(std::string(said) + " and")) << seconds;
  }
}

// RFC 6533 3
TEST(Dsn, AnAddressBeyondAsciiIsOfTheTypeUtf8) {
  Dsn d = example();
  d.recipients[0].address = "\"a b\"+ü€😀@x.test";
  const DsnText out = make_dsn(d);
  EXPECT_THAT(out.text,
              HasSubstr("Final-Recipient: utf-8; \"a\\x{20}b\"\\x{2B}\\x{FC}\\x{20AC}\\x{1F600}@x.test\r\n"));
  EXPECT_THAT(out.text, HasSubstr("<\"a b\"+ü€😀@x.test>"));
  EXPECT_TRUE(out.eight_bit);
}

// RFC 6533 4: the types for UTF-8, where there is some; 4.5: in ASCII where the way back may take no more.
TEST(Dsn, OfAMessageOfSmtputf8) {
  Dsn d = example();
  d.smtputf8 = true;
  EXPECT_THAT(make_dsn(d).text, HasSubstr("Content-Type: message/delivery-status\r\n")) << "all is ASCII";
  d.to = "für@sender.test";
  d.recipients[0].address = "ü@x.test";
  d.recipients[0].original = "utf-8;\\x{FC}\\x{1F600}@x.test";
  d.returned = "Subject: ü\r\n";
  const DsnText native = make_dsn(d);
  EXPECT_TRUE(native.smtputf8 && native.eight_bit);
  for (const char* part :
       {"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        "\r\nOriginal-Recipient: utf-8;ü😀@x.test\r\nFinal-Recipient: utf-8; ü@x.test\r\n",
        "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: ü\r\n"}) {
    EXPECT_THAT(native.text, HasSubstr(part));
  }
  d.to = "from@sender.test";
  const DsnText ascii = make_dsn(d);
  EXPECT_FALSE(ascii.smtputf8);
  for (const char* part :
       {"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: base64\r\n",
        "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\nU3ViamVjdDogw7wNCg==\r\n"}) {
    EXPECT_THAT(ascii.text, HasSubstr(part));
  }
  EXPECT_THAT(ascii.text, Not(HasSubstr("Final-Recipient")));
  for (const char* bad :
       {"utf-8;\\x{D800}@x", "utf-8;\\x{A@x", "utf-8;\\x{A}@x", "utf-8;\\x{110000}@x", "utf-8;\\x{}x"}) {
    d.to = "für@sender.test";
    d.recipients[0].original = bad;
    EXPECT_THAT(make_dsn(d).text, HasSubstr("Original-Recipient: " + std::string(bad) + "\r\n"))
        << "as it came";
  }
}

// RFC 3464 2.3, RFC 3461 6.3
TEST(Dsn, OfWhatIsNoFailure) {
  Dsn d = refused("4.4.1", "");
  d.envelope_id = "QQ=314";
  d.arrived = kNow;
  d.recipients[0].action = Action::delayed;
  d.recipients[0].original = "rfc822;Bob@y.test";
  const std::string delayed = make_dsn(d).text;
  for (const char* part :
       {"Subject: Delayed mail, still to be delivered\r\n",
        "is delayed, and not given\r\nup, for the recipient below.",
        "It is tried again until Sun,\r\n    19 Nov 2023 22:13:20 +0000.",
        "\r\n\r\nOriginal-Envelope-Id: QQ=314\r\nReporting-MTA:",
        "\r\n\r\nOriginal-Recipient: rfc822;Bob@y.test\r\nFinal-Recipient: rfc822; to@x.test\r\nAction: "
        "delayed\r\nStatus: 4.4.1\r\n",
        "\r\nWill-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000\r\n"}) {
    EXPECT_THAT(delayed, HasSubstr(part));
  }
  d.recipients[0].status = "2.0.0";
  d.recipients[0].reply = "250 2.0.0 queued";
  for (const auto& [action, word, sentence] :
       {std::tuple{Action::relayed, "relayed", "was handed to mx.x.test"},
        {Action::delivered, "delivered", "was put into the mailbox"}}) {
    d.recipients[0].action = action;
    const std::string text = make_dsn(d).text;
    EXPECT_THAT(text, HasSubstr("Subject: Mail delivery status\r\n"));
    EXPECT_THAT(text, HasSubstr(std::string("\r\nAction: ") + word +
                                "\r\nStatus: 2.0.0\r\nRemote-MTA: dns; "
                                "mx.x.test\r\nDiagnostic-Code: smtp; 250 2.0.0 queued\r\n"));
    EXPECT_THAT(text, HasSubstr(sentence));
    EXPECT_THAT(text, Not(HasSubstr("Will-Retry-Until")));
    EXPECT_THAT(text, Not(HasSubstr("went wrong")));
  }
}

TEST(Dsn, OfSeveralFates) {
  Dsn d = refused("5.1.1", "550 no");
  d.recipients.push_back(d.recipients[0]);
  d.recipients[1].address = "other@x.test";
  d.recipients[1].action = Action::relayed;
  const std::string text = make_dsn(d).text;
  EXPECT_THAT(text, HasSubstr("Subject: Undelivered mail returned to sender\r\n"));
  EXPECT_THAT(text, HasSubstr("Action: failed"));
  EXPECT_THAT(text, HasSubstr("Action: relayed"));
}

// RFC 3461 6.2
TEST(Dsn, TheWholeMessageIsAMessage) {
  Dsn d = refused("5.1.1", "550 no");
  d.returned = "Subject: s\r\n\r\ntext\r\n";
  d.returned_whole = true;
  const std::string text = make_dsn(d).text;
  EXPECT_THAT(text,
              HasSubstr("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: "
                        "s\r\n\r\ntext\r\n\r\n--"));
  EXPECT_THAT(text, HasSubstr("Your message is returned."));
}

TEST(Dsn, DeclaresEightBitOnlyWhereItIs) {
  Dsn d = refused("5.1.1", "550 f\xc3\xbcr dich nicht \xff");
  EXPECT_FALSE(make_dsn(d).eight_bit);
  EXPECT_THAT(make_dsn(d).text, HasSubstr("smtp; 550 f??r dich nicht ?"));
  d.returned = "Subject: \xc3\xbc\r\n";
  const DsnText out = make_dsn(d);
  EXPECT_TRUE(out.eight_bit);
  EXPECT_THAT(out.text, HasSubstr("text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"));
  EXPECT_THAT(out.text, HasSubstr("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit"));
}

TEST(Dsn, HostileWordsStayInTheirPlace) {
  const std::string hostile = "550 no\r\n\r\n--=_pinnace_t0--\r\nStatus: 2.0.0 \x01" + std::string(3000, 'x');
  Dsn d = refused("5.1.1", hostile);
  d.recipients[0].reason = hostile;
  d.recipients[0].remote_mta = hostile;
  d.returned = "Subject: " + std::string(5000, 'y') + "\r\nX: a\rb\nc" + std::string(1, '\0') + "\r\n";
  const DsnText out = make_dsn(d);
  EXPECT_THAT(out.text, Not(HasSubstr("\r\nStatus: 2.0.0")));
  EXPECT_THAT(out.text, Not(HasSubstr("\r\n--=_pinnace_t0--\r\nStatus")));
  EXPECT_THAT(out.text, HasSubstr("\r\nX: a?b?c?\r\n"));
  std::size_t start = 0;
  for (std::size_t end; (end = out.text.find("\r\n", start)) != std::string::npos; start = end + 2) {
    EXPECT_LE(end - start, 998U);
  }
}

TEST(Dsn, AHeaderThatGuessesTheBoundaryDoesNotEndItsPart) {
  Dsn d = example();
  d.returned = "X: y\r\n--=_pinnace_t0--: z\r\n";
  const std::string text = make_dsn(d).text;
  EXPECT_THAT(text, HasSubstr("\tboundary=\"=_pinnace_t0_\"\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\n--=_pinnace_t0_--\r\n"));
}

}  // namespace
}  // namespace pinnace::mime
