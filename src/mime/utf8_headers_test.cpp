#include "mime/utf8_headers.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

// RFC 6531 3.2: at any level within its MIME structure
TEST(Utf8Headers, AreFoundAtAnyDepthAndCut) {
  const std::string multipart = "Content-Type: multipart/mixed; boundary=b\r\n\r\nü\r\n--b\r\n";
  const struct {
    std::string text;
    bool found;
    const char* why;
  } cases[] = {
      {"Subject: s\r\n\r\nü\r\n", false, "a body"},
      {"Subject: ü\r\n\r\nx\r\n", true, "the header"},
      {"Content-Transfer-Encoding: ü\r\n\r\nx\r\n", true, "the field that names the encoding"},
      {multipart + "X: x\r\n\r\nü\r\n--b--\r\nü\r\n", false, "a part's body, preamble and epilogue"},
      {multipart + "X: ü\r\n\r\nx\r\n--b--\r\n", true, "a part's header"},
      {"Content-Type: message/rfc822\r\n\r\nSubject: ü\r\n\r\nx\r\n", true, "a message in a message"},
      {"", false, "nothing"},
  };
  for (const auto& c : cases) {
    for (std::size_t cut = 0; cut <= c.text.size(); ++cut) {
      Utf8Headers headers;
      headers.feed(std::string_view(c.text).substr(0, cut));
      headers.feed(std::string_view(c.text).substr(cut));
      EXPECT_EQ(headers.finish(), c.found) << c.why << ", cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace pinnace::mime
