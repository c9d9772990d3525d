#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace pinnace::base {
namespace {

// RFC 4648 10
TEST(Base64, Vectors) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xbf", "+/+/"},
  };
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, EveryOctetAtEveryPlace) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes) << i;
  }
}

// RFC 4648 3.2, 3.3 and 3.5: one spelling only.
TEST(Base64, Strictness) {
  const std::pair<std::string, const char*> bad[] = {
      {"Zg", "no padding"},
      {"Zg=", "too little padding"},
      {"Z===", "too much"},
      {"====", "nothing but padding"},
      {"Zh==", "four unused bits are not zero"},
      {"Zm9=", "two unused bits are not zero"},
      {"Zg==Zg==", "padding inside"},
      {"=Zm9", "padding in front"},
      {"Zm9v\n", "a line end behind"},
      {"Zm\r\n", "a line end inside"},
      {"Zm 9v===", "a blank"},
      {"Zm-_", "the alphabet of URLs"},
      {std::string("Zm\0v", 4), "NUL"},
      {"Zm\xc3\xbc", "not ASCII"},
  };
  for (const auto& [text, why] : bad) EXPECT_EQ(base64_decode(text), std::nullopt) << why;
}

}  // namespace
}  // namespace pinnace::base
