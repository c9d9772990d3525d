#include "mime/transfer_decoding.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

TEST(TransferDecoding, TakesWhatIsSent) {
  using enum TransferEncoding;
  const struct {
    TransferEncoding encoding;
    const char* body;
    const char* content;
  } cases[] = {
      {base64, "aGVsbG8=", "hello"},
      {base64, "aGVs\r\nbG8\r\n", "hello"},        // no padding
      {base64, "aGVs*bG8=\r\ntrailing", "hello"},  // RFC 2045 6.8: others are ignored, '=' ends it
      {base64, "a", ""},                           // less than an octet
      {quoted_printable, "a=3Db=\r\nc =41\r\nd", "a=bc A\r\nd"},
      {quoted_printable, "a  \r\nb=\r\n", "a\r\nb"},
      {quoted_printable, "=zz =4", "=zz =4"},  // no octet: as it stands
      {seven_bit, "as=3D it is", "as=3D it is"},
      {other, "aGVsbG8=", "aGVsbG8="},
  };
  for (const auto& c : cases) EXPECT_EQ(decode_transfer(c.body, c.encoding), c.content) << c.body;
  EXPECT_EQ(decode_transfer("x", std::nullopt), "x");
}

}  // namespace
}  // namespace pinnace::mime
