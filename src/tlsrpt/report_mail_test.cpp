#include "tlsrpt/report_mail.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/base64.hpp"
#include "tlsrpt/gunzip.hpp"

namespace pinnace::tlsrpt {
namespace {

using testing::HasSubstr;

std::string gzip(const std::string& text) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

TEST(Gunzip, TakesWhatGzipTakes) {
  const std::string one = gzip("one "), two = gzip("two");
  const struct {
    std::string octets;
    const char* text;
    const char* error;
  } cases[] = {
      {one, "one ", ""},
      {one + two, "one two", ""},
      {one + std::string(7, '\0'), "one ", ""},
      {one + "\r\n", "one ", ""},
      {one + "\x1f\x8b garbage", "one ", ""},
      {one + "\x1f\x8b", "one ", ""},
      {one.substr(0, one.size() - 1), "", "cut off"},
      {one.substr(0, 5), "", "cut off"},
      {one + two.substr(0, two.size() - 3), "", "cut off"},
      {"\x1f\x8b garbage", "", "broken"},
      {one.substr(0, one.size() - 8) + std::string(8, 'x'), "", "broken"},  // another sum
      {"", "", "cut off"},
  };
  for (const auto& c : cases) {
    const auto out = gunzip(c.octets, 1000);
    EXPECT_EQ(out.value_or("(error)"), *c.error ? "(error)" : c.text);
    if (!out) EXPECT_THAT(out.error().detail, HasSubstr(c.error));
  }
}

TEST(Gunzip, IsBounded) {
  const std::string text(100'000, 'a');
  EXPECT_TRUE(gunzip(gzip(text), 100'000)) << "small enough that its ratio does not matter";
  EXPECT_EQ(gunzip(gzip(text), 99'999).error().code, "tlsrpt.size");
  const std::string bomb = gzip(std::string(50 << 20, 'a'));
  EXPECT_LT(bomb.size(), 100'000U);
  EXPECT_THAT(gunzip(bomb, 100 << 20).error().detail, HasSubstr("more than 300 times"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += gzip(std::string(100'000, 'a'));
  EXPECT_EQ(gunzip(many, 4 << 20).error().code, "tlsrpt.size") << "members that are small each";
}

std::string part(const std::string& type, const std::string& body) {
  return "--b\r\nContent-Type: " + type + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
         base::base64_encode(body) + "\r\n";
}

TEST(ReportMail, FindsTheReport) {
  const std::string head =
      "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
  const struct {
    std::string mail;
    const char* json;
    const char* why;
  } cases[] = {
      {"{\"a\":1}", "{\"a\":1}", "bare JSON"},
      {gzip("{}"), "{}", "bare gzip"},
      {head + part("application/json", "{1}") + part("application/tlsrpt+gzip", gzip("{2}")) + "--b--\r\n",
       "{2}", "the right type comes first"},
      {head + part("text/plain", "hello") + part("image/png", gzip("{3}")) + "--b--\r\n", "{3}",
       "whatever it is called"},
      {head + part("application/tlsrpt+gzip", "{4}"), "{4}", "no gzip although it says so, and no end"},
      {head + part("message/rfc822", "x") + part("application/gzip", gzip("{5}")), "{5}",
       "beside a part that is left"},
      {head + part("text/plain", "hello") + "--b--\r\n", nullptr, "none in it"},
      {"Subject: x\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n", nullptr, "signed"},
      {"", nullptr, "nothing"},
      {"From ", nullptr, "less than a mail"},
  };
  for (const auto& c : cases) {
    const auto found = report_json(c.mail);
    EXPECT_EQ(found.value_or("(none)"), c.json ? c.json : "(none)") << c.why;
    if (!found) EXPECT_EQ(found.error().code, "tlsrpt.none") << c.why;
  }
  EXPECT_EQ(report_json(std::string(kMaxDelivered + 1, ' ')).error().code, "tlsrpt.size");
}

}  // namespace
}  // namespace pinnace::tlsrpt
