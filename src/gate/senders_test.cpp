#include "gate/senders.hpp"

#include <gtest/gtest.h>

namespace pinnace::gate {
namespace {

using Version = Encryption::Version;
using Cipher = Encryption::Cipher;

TEST(Senders, CountsHowMailCame) {
  Senders senders;
  senders.count("a.test", {});
  senders.count("a.test", {Version::tls12, Cipher::chacha20, false});
  senders.count("a.test", {Version::tls13, Cipher::aes_gcm, true});
  senders.count("", {Version::tls13, Cipher::aes_gcm, false});
  const auto top = senders.top(1);
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(top[0].domain, "a.test");
  const Tally& t = top[0].tally;
  EXPECT_EQ(t.messages, 3u);
  EXPECT_EQ(t.plain, 1u);
  EXPECT_EQ(t.tls12, 1u);
  EXPECT_EQ(t.tls13, 1u);
  EXPECT_EQ(t.aes_gcm, 1u);
  EXPECT_EQ(t.chacha20, 1u);
  EXPECT_EQ(t.client_certificate, 1u);
  EXPECT_EQ(senders.others(1).messages, 1u);
}

TEST(Senders, WhoSendsMostStaysAndNothingIsLost) {
  Senders senders(10);
  for (int i = 0; i < 100; ++i) senders.count("large.test", {});
  for (int i = 0; i < 1000; ++i) senders.count("once" + std::to_string(i) + ".test", {});
  EXPECT_LE(senders.domains(), 10u);
  EXPECT_EQ(senders.top(1)[0].domain, "large.test");
  EXPECT_EQ(senders.top(1)[0].tally.messages, 100u);
  EXPECT_EQ(senders.others(1).messages, 1000u);
}

TEST(Encryption, FromTheHandshake) {
  tls::Handshake shaken;
  shaken.version = "TLSv1.2";
  shaken.cipher = "ECDHE-RSA-CHACHA20-POLY1305";
  EXPECT_EQ(Encryption::of(shaken).cipher, Cipher::chacha20);
  EXPECT_EQ(Encryption::of(shaken).version, Version::tls12);
  shaken.version = "TLSv1.3";
  shaken.cipher = "TLS_AES_256_GCM_SHA384";
  shaken.client_certificate = true;
  EXPECT_EQ(Encryption::of(shaken).cipher, Cipher::aes_gcm);
  EXPECT_TRUE(Encryption::of(shaken).client_certificate);
}

}  // namespace
}  // namespace pinnace::gate
