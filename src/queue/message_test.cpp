#include "queue/message.hpp"

#include <gtest/gtest.h>

#include "base/record.hpp"

namespace pinnace::queue {
namespace {

TEST(MessageId, TextAndKeyKeepTheOrder) {
  const MessageId small{255}, large{std::uint64_t{1} << 52};
  EXPECT_LT(small.str(), large.str());
  EXPECT_LT(small.key(), large.key());
  EXPECT_EQ(MessageId::parse(large.str()), large);
  for (const char* bad : {"", "0", "00000000000000", "zzzzzzzzzzzzz", "000000000000u", "000000000000 "}) {
    EXPECT_EQ(MessageId::parse(bad), std::nullopt) << bad;
  }
}

TEST(Message, DecodeRefusesEveryCutAndForeignVersion) {
  Message m;
  m.reverse_path = "a@b.test";
  m.recipients.resize(2);
  m.recipients[0].address = "x@y.test";
  m.recipients[1].policy = "TLS must be";
  const std::string record = m.encode();
  EXPECT_TRUE(Message::decode(m.id, record));
  for (std::size_t n = 0; n < record.size(); ++n)
    EXPECT_FALSE(Message::decode(m.id, record.substr(0, n))) << n;
  EXPECT_FALSE(Message::decode(m.id, record + "x"));
  EXPECT_FALSE(Message::decode(m.id, "\x04" + record.substr(1)));
  EXPECT_FALSE(Message::decode(m.id, std::string(1, '\0') + record.substr(1)));
}

TEST(Message, ComesBackAsItWas) {
  Message m;
  m.id = MessageId{77};
  m.reverse_path = "a@b.test";
  m.smtputf8 = m.body_8bit = true;
  m.arrived = base::Time(base::Seconds(1'700'000'000));
  m.size = 123;
  m.chunks = 2;
  m.client = "c.test [127.0.0.1]";
  m.body_binary = m.held = true;
  m.envid = "QQ314159";
  m.ret = names::Return::headers;
  m.priority = Priority::high;
  m.route = "submission";
  Recipient r;
  r.notify.bits = names::Notify::kSuccess | names::Notify::kDelay;
  r.orcpt = "rfc822;x+2By@y.test";
  r.delay_told = true;
  r.address = "x@y.test";
  r.state = RecipientState::failed;
  r.attempts = 3;
  r.next_attempt = m.arrived + base::Seconds(5);
  r.last_attempt = m.arrived + base::Seconds(4);
  r.host = "mx.y.test";
  r.status = "5.7.30";
  r.reason = "no REQUIRETLS";
  r.reply = "250 mx.y.test";
  r.policy = std::string(5000, 'x');
  m.recipients = {r, Recipient{}};
  for (const TlsWish wish : {TlsWish::none, TlsWish::require, TlsWish::waive}) {
    m.tls_wish = wish;
    const Message back = Message::decode(m.id, m.encode()).value();
    EXPECT_EQ(back.tls_wish, wish);
    EXPECT_EQ(back.priority, Priority::high);
    EXPECT_EQ(back.recipients.at(0).notify, r.notify);
    EXPECT_EQ(back.recipients.at(0).orcpt, r.orcpt);
    EXPECT_EQ(back.encode(), m.encode()) << "nothing is lost";
    EXPECT_EQ(back.recipients.at(0).policy, std::string(Recipient::kMaxText, 'x')) << "bounded";
    EXPECT_EQ(back.recipients.at(0).reply, r.reply);
    EXPECT_EQ(back.recipients.at(1).policy, "");
  }
}

// As versions 1 and 2 were written: without what docs/store-format.md says they lack.
std::string record_of_version(std::uint8_t version) {
  base::RecordWriter out;
  out.u8(version);
  out.text("a@b.test");
  out.u8(2);
  if (version == 2) out.u8(1);
  out.i64(1'700'000'000'000);
  out.i64(123);
  out.u32(1);
  out.text("c.test [127.0.0.1]");
  out.u32(2);
  for (const char* address : {"x@y.test", ""}) {
    out.text(address);
    out.u8(0);
    out.u32(4);
    out.i64(1'700'000'300'000);
    out.i64(1'700'000'000'000);
    for (const char* text : {"mx.y.test", "4.7.5", "the key does not match", "450 later"}) {
      out.text(*address ? text : "");
    }
    if (version == 2) out.text("TLS must be");
  }
  return out.take();
}

TEST(Message, ARecordOfVersion1IsRead) {
  const std::string record = record_of_version(1);
  const auto m = Message::decode(MessageId{77}, record);
  ASSERT_TRUE(m) << m.error().detail;
  EXPECT_EQ(m->reverse_path, "a@b.test");
  EXPECT_EQ(m->tls_wish, TlsWish::none);
  EXPECT_EQ(m->client, "c.test [127.0.0.1]");
  ASSERT_EQ(m->recipients.size(), 2U);
  EXPECT_EQ(m->recipients[0].reply, "450 later");
  EXPECT_EQ(m->recipients[0].policy, "");
  EXPECT_EQ(m->recipients[0].attempts, 4U);
  for (std::size_t n = 0; n < record.size(); ++n) EXPECT_FALSE(Message::decode(m->id, record.substr(0, n)));
  EXPECT_FALSE(Message::decode(m->id, "\x02" + record.substr(1))) << "it is not of version 2";
}

TEST(Message, ARecordOfVersion2IsRead) {
  const std::string record = record_of_version(2);
  const auto m = Message::decode(MessageId{77}, record);
  ASSERT_TRUE(m) << m.error().detail;
  EXPECT_EQ(m->tls_wish, TlsWish::require);
  EXPECT_EQ(m->recipients.at(0).policy, "TLS must be");
  EXPECT_EQ(m->priority, Priority::normal);
  EXPECT_FALSE(m->recipients[0].notify.asked());
  for (std::size_t n = 0; n < record.size(); ++n) EXPECT_FALSE(Message::decode(m->id, record.substr(0, n)));
}

TEST(Message, AnUnknownWishIsNotRead) {
  Message m;
  m.tls_wish = static_cast<TlsWish>(3);
  EXPECT_FALSE(Message::decode(m.id, m.encode())) << "to take it for none would be to send unprotected";
}

}  // namespace
}  // namespace pinnace::queue
