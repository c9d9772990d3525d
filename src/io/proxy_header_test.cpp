#include "io/proxy_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::io {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

base::Result<Proxied> parse(const std::string& header) {
  const std::string_view all = header;
  return parse_proxy_header(all.substr(0, kProxyStart), all.substr(std::min(all.size(), kProxyStart)));
}

TEST(ProxyHeader, WhatIsWrittenIsRead) {
  for (const auto& [client, local] :
       std::initializer_list<std::pair<const char*, const char*>>{{"192.0.2.1:4711", "198.51.100.2:25"},
                                                                  {"[2001:db8::1]:4711", "[2001:db8::2]:25"},
                                                                  {"192.0.2.1:65535", "[2001:db8::2]:25"}}) {
    const auto read = parse(proxy_header(*Endpoint::parse(client), *Endpoint::parse(local)));
    ASSERT_TRUE(read && read->client) << client;
    EXPECT_EQ(read->client->str(), client);
    EXPECT_EQ(read->local.str(), local);
  }
}

TEST(ProxyHeader, Octets) {
  const std::string v4("\xc0\0\2\1\xc6\x33\x64\2\x12\x67\0\x19", 12);
  const std::string tlvs("\x04\0\x05zzzzz", 8);
  const struct {
    std::string rest;
    int command, family;
    bool good;
    const char* client;
    const char* why;
  } kRows[] = {
      {v4, 0x21, 0x11, true, "192.0.2.1:4711", "TCP over IPv4"},
      {v4 + tlvs, 0x21, 0x11, true, "192.0.2.1:4711", "TLVs are passed over"},
      {v4, 0x20, 0x11, true, "", "LOCAL: its addresses mean nothing"},
      {"", 0x20, 0x00, true, "", "LOCAL without addresses"},
      {"", 0x20, 0x41, true, "", "LOCAL of an unknown family"},
      {"", 0x21, 0x00, true, "", "AF_UNSPEC"},
      {std::string(216, 'x'), 0x21, 0x31, true, "", "AF_UNIX"},
      {v4, 0x21, 0x12, false, "", "UDP"},
      {v4.substr(0, 11), 0x21, 0x11, false, "", "an address cut short"},
      {v4, 0x21, 0x21, false, "", "too short for IPv6"},
      {v4, 0x22, 0x11, false, "", "an unknown command"},
      {v4, 0x21, 0x41, false, "", "an unknown family"},
      {v4, 0x11, 0x11, false, "", "version 1"},
      {std::string(kMostProxy + 1, 'x'), 0x21, 0x00, false, "", "longer than is taken"},
  };
  for (const auto& row : kRows) {
    const std::string header = kSignature + static_cast<char>(row.command) + static_cast<char>(row.family) +
                               static_cast<char>(row.rest.size() >> 8) +
                               static_cast<char>(row.rest.size() & 255) + row.rest;
    const auto read = parse(header);
    EXPECT_EQ(read.has_value(), row.good) << row.why;
    if (!read) continue;
    EXPECT_EQ(read->client ? read->client->str() : "", row.client) << row.why;
    EXPECT_EQ(read->own, row.command == 0x20) << row.why;
  }
  EXPECT_FALSE(parse("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n")) << "the first version";
  EXPECT_FALSE(parse(""));
}

}  // namespace
}  // namespace pinnace::io
