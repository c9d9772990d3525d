#include "mime/transfer_encoding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/base64.hpp"

namespace pinnace::mime {
namespace {

using testing::HasSubstr;

std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

base::Result<TransferPlan> survey(std::string_view text, Transport transport, std::size_t piece) {
  TransferSurvey survey(transport);
  for (std::size_t at = 0; at < text.size(); at += piece) survey.feed(text.substr(at, piece));
  return survey.finish();
}

// What goes over the wire; an error where nothing may.
base::Result<std::string> convert(std::string_view text, Transport transport, std::size_t piece = 1 << 16) {
  auto plan = survey(text, transport, piece);
  if (!plan) return std::unexpected(plan.error());
  if (!plan->changes()) return std::string(text);
  TransferConverter converter(std::move(*plan));
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) converter.feed(text.substr(at, piece), out);
  converter.finish(out);
  return out;
}

void expect_conversion(const std::string& text, const std::string& expected, Transport transport,
                       const char* why) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, text.size() + 1}) {
    const auto out = convert(text, transport, piece);
    ASSERT_TRUE(out) << why << ": " << out.error().detail;
    EXPECT_EQ(*out, expected) << why << ", by " << piece;
  }
  const auto again = survey(expected, transport, 100);
  ASSERT_TRUE(again) << why;
  EXPECT_FALSE(again->changes()) << why << ": what was converted fits";
}

// RFC 6152 3
TEST(TransferConverter, MakesAMessageSevenBit) {
  const struct {
    const char* text;
    const char* expected;
    const char* why;
  } cases[] = {
      {"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
       "Subject: s\n\nGr\xc3\xbc\xc3\x9f"
       "e \n",
       "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
       "Content-Transfer-Encoding: quoted-printable\nSubject: s\n\nGr=C3=BC=C3=9Fe=20\n",
       "text: the field is changed where it stands"},
      {"MIME-Version: 1.0\ncontent-transfer-encoding:\n\t8bit (really)\nContent-Type: "
       "application/x\n\n\xff\n",
       "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\nContent-Type: application/x\n\n/w0K\n",
       "what is no text; a folded field"},
      {"MIME-Version: 1.0\nContent-Type: text/plain\n\n\xff\n",
       "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=FF\n",
       "no label"},
      {"MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\n\xff\n",
       "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=FF\n",
       "a label that is not true"},
      {"Subject: s\n\n\xff\n",
       "Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
       "Content-Transfer-Encoding: quoted-printable\n\n=FF\n",
       "no MIME at all"},
      {"Content-Type: text/html\n\n\xff\n",
       "Content-Type: text/html\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=FF\n",
       "no MIME-Version"},
      {"\n\xff\n",
       "MIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
       "Content-Transfer-Encoding: quoted-printable\n\n=FF\n",
       "no header"},
      {"MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nabc\n",
       "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nabc\n",
       "a label that promises less than is kept"},
  };
  for (const auto& c : cases) {
    expect_conversion(crlf(c.text), crlf(c.expected), Transport::seven_bit, c.why);
  }
}

// RFC 2046 5.1 and 5.2.1, RFC 2045 6.4
TEST(TransferConverter, ChangesOnlyThePartsThatDoNotFit) {
  const std::string text = crlf(
      "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"a\"\nContent-Transfer-Encoding: 8bit\n\n"
      "preamble\n--a \nContent-Type: text/plain\n\nseven = 7\n--a\nContent-Transfer-Encoding: 8bit\n\n"
      "\xc3\xa4\n\n--a\nContent-Type: multipart/alternative; boundary=ab\n\n--ab\n\n--abc\n\xe4--ab\n--ab\n"
      "Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n\nplain\n--ab--\nepilogue\n--ab\n--a\n"
      "Content-Type: message/rfc822\n\nSubject: inner\n\n\xf6\n--a\nContent-Type: image/x\n"
      "Content-Transfer-Encoding: base64\n\nAAAA\n--a--\nmore\n");
  const std::string expected = crlf(
      "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"a\"\nContent-Transfer-Encoding: 7bit\n\n"
      "preamble\n--a \nContent-Type: text/plain\n\nseven = 7\n--a\n"
      "Content-Transfer-Encoding: quoted-printable\n\n=C3=A4\n\n--a\n"
      "Content-Type: multipart/alternative; boundary=ab\n\n--ab\n"
      "Content-Transfer-Encoding: quoted-printable\n\n=2D-abc\n=E4--ab\n--ab\n"
      "Content-Type: text/html\nContent-Transfer-Encoding: 7bit\n\nplain\n--ab--\nepilogue\n--ab\n--a\n"
      "Content-Type: message/rfc822\n\nSubject: inner\nMIME-Version: 1.0\n"
      "Content-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\n=F6\n"
      "--a\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\nAAAA\n--a--\nmore\n");
  expect_conversion(text, expected, Transport::seven_bit, "a tree of parts");
}

TEST(TransferConverter, OddStructures) {
  const std::string top = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n";
  const struct {
    std::string text;
    std::string expected;
    const char* why;
  } cases[] = {
      {top + "--a\n\n\xff", top + "--a\nContent-Transfer-Encoding: quoted-printable\n\n=FF=\n",
       "a boundary that is never closed, and no line end"},
      {top + "--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n\xff\n--a\n\n\xfe\n--a--\n",
       top + "--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
             "Content-Transfer-Encoding: quoted-printable\n\n=FF\n--a\n"
             "Content-Transfer-Encoding: quoted-printable\n\n=FE\n--a--\n",
       "the outer one ends the inner one"},
      {top + "--a\nContent-Type: text/plain\n--a\n\n\xff\n--a--",
       top + "--a\nContent-Type: text/plain\n--a\nContent-Transfer-Encoding: quoted-printable\n\n=FF\n--a--",
       "a part that is a header only"},
      {"MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\n\xff\n--a--\n",
       "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n"
       "MIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
       "Content-Transfer-Encoding: quoted-printable\n\n=FF\n--a--\n",
       "RFC 2046 5.1.5: in a digest a message is what is not said"},
      {top + "--a\nContent-Type: message/global\n\nSubject: \xc3\xa4\n\n--a--\n",
       top + "--a\nContent-Type: message/global\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogw6QNCg==\n"
             "--a--\n",
       "RFC 6532 3.7: it may be encoded"},
      {top + "--a\nContent-Type: multipart/signed; boundary=s\nContent-Transfer-Encoding: 8bit\n\n--s\n\nx\n"
             "--s--\n--a\n\n\xff\n--a--\n",
       top + "--a\nContent-Type: multipart/signed; boundary=s\nContent-Transfer-Encoding: 8bit\n\n--s\n\nx\n"
             "--s--\n--a\nContent-Transfer-Encoding: quoted-printable\n\n=FF\n--a--\n",
       "RFC 1847 2.1: not an octet of what is signed"},
  };
  for (const auto& c : cases) {
    expect_conversion(crlf(c.text), crlf(c.expected), Transport::seven_bit, c.why);
  }
}

// RFC 3030 3
TEST(TransferConverter, MakesABinaryMessageFitThrough8BitMime) {
  const std::string top = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\nContent-Type: ";
  const std::string eight = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: ";
  const std::string made = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nContent-Type: ";
  const std::string mixed = "multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n\xc3\xa4\r\n--a\r\n";
  const struct {
    std::string text;
    std::string expected;
    const char* why;
  } cases[] = {
      {top + "text/plain\r\n\r\n\xc3\xa4\r\n", top + "text/plain\r\n\r\n\xc3\xa4\r\n", "only the label"},
      {top + "image/x\r\n\r\n\xff\n\r", made + "image/x\r\n\r\n/woN\r\n", "bare CR and LF"},
      {top + "text/plain\r\n\r\n\xff\n", made + "text/plain\r\n\r\n/wo=\r\n", "in text too"},
      {top + mixed + "\r\na\rb\r\n--a--\r\n",
       eight + mixed + "Content-Transfer-Encoding: base64\r\n\r\nYQ1i\r\n--a--\r\n",
       "8-bit text stays beside it"},
      {top + std::string("image/x\r\n\r\n\0\r\n", 14), made + "image/x\r\n\r\nAA0K\r\n", "NUL"},
      {top + "image/x\r\n\r\na\r\r\n", made + "image/x\r\n\r\nYQ0NCg==\r\n", "a CR in front of CRLF"},
  };
  for (const auto& c : cases) expect_conversion(c.text, c.expected, Transport::eight_bit, c.why);

  const std::string longest = top + "text/plain\r\n\r\n" + std::string(998, 'x') + "\r\n";
  const auto fits = survey(longest, Transport::eight_bit, 100);
  ASSERT_TRUE(fits);
  EXPECT_FALSE(fits->changes());
  const auto longer =
      convert(top + "text/plain\r\n\r\n" + std::string(999, 'x') + "\r\n", Transport::eight_bit);
  ASSERT_TRUE(longer);
  EXPECT_THAT(*longer, HasSubstr("quoted-printable"));
  EXPECT_THAT(*longer,
              HasSubstr("\r\n\r\n" + std::string(75, 'x') + "=\r\n" + std::string(75, 'x') + "=\r\n"));
}

TEST(TransferSurvey, SaysWhatCannotBeConverted) {
  const std::string top = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n";
  const auto part = [&](const std::string& header) { return top + "--a\n" + header + "\n\xff\n--a--\n"; };
  std::string deep;
  for (std::size_t i = 0; i <= EntityReader::kMaxDepth; ++i) {
    const std::string b = "b" + std::to_string(i) + "x";
    deep += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
  }
  std::string many = top;
  for (std::size_t i = 0; i <= TransferSurvey::kMaxEntities; ++i) many += "--a\n";
  std::string folds;
  for (std::size_t i = 0; i <= EntityReader::kMaxField / 500; ++i)
    folds += " " + std::string(500, 'x') + "\n";
  const struct {
    std::string text;
    const char* reason;
    const char* why;
  } cases[] = {
      {"Subject: \xc3\xa4\n\nx\n", "a header has 8-bit text", "RFC 2047 is for whoever writes it"},
      {"Subject: " + std::string(1000, 'x') + "\n\nx\n", "header line of more than 998", "a long field"},
      {part("Subject: \xe4\n"), "a header has 8-bit text", "that of a part too"},
      {top + "\xff\n--a\n\nx\n--a--\n", "the text in front of or behind", "a preamble"},
      {top + "--a\n\nx\n--a--\n\xff\n", "the text in front of or behind", "an epilogue"},
      {part("Content-Type: multipart/signed; boundary=s\n"), "signature would break", "RFC 1847 2.1"},
      {part("Content-Type: multipart/encrypted; boundary=s\n"), "an encrypted part", "RFC 1847 2.2"},
      {part("Content-Type: message/partial\n"), "message/partial has 8-bit text", "RFC 2046 5.2.2"},
      {part("Content-Type: message/delivery-status\n"), "message/delivery-status", "fields, not text"},
      {part("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n"), "encoded already", "not twice"},
      {part("Content-Type: text/plain\nContent-Transfer-Encoding: x-own\n"), "encoded already",
       "who knows how"},
      {part("Content-Type: multipart/mixed\n"), "a multipart without a boundary", "its parts are not known"},
      {part("Content-Type: text\n"), "without type/subtype", "what it is is not known"},
      {part("Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n"), "two Content-Type",
       "which is it"},
      {part("Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: base64\n"), "two Content-Transfer",
       "which is it"},
      {part("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n"), "RFC 2045 6.4",
       "not allowed"},
      {part("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n"), "RFC 2045 6.4",
       "not allowed"},
      {"dear friend,\n\xff\n", "a line that is no field", "no header and no empty line"},
      {part("dear friend,\n"), "a line that is no field", "nor in a part"},
      {"Content-Type: text/plain;\n" + folds + "\n\xff\n", "of more than 16384 octets", "bounded memory"},
      {"Content-Transfer-Encoding: 8bit\n" + folds + "\n\xff\n", "of more than 16384 octets", "that too"},
      {deep + "\n\xff\n", "multiparts in each other", "too deep"},
      {many + "\n\xff\n", "more than 10000 parts", "too many"},
  };
  for (const auto& c : cases) {
    for (const std::size_t piece : {std::size_t{5}, std::size_t{1} << 20}) {
      const auto plan = survey(crlf(c.text), Transport::seven_bit, piece);
      ASSERT_FALSE(plan) << c.why << ": " << c.reason;
      EXPECT_EQ(plan.error().code, "mime.not_convertible") << c.why;
      EXPECT_THAT(plan.error().detail, HasSubstr(c.reason)) << c.why;
    }
  }
}

// Whatever is done to what fits: nothing.
TEST(TransferSurvey, WhatFitsIsLeftAsItIs) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) {
    const std::string b = "b" + std::to_string(i) + "x";
    deep += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
  }
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("Subject: x"), std::string("dear friend,\n\nx\n"),
        std::string("Content-Type: multipart/signed; boundary=\"s\"\n\n--s\n\nx\n--s--\n"), deep}) {
    const auto plan = survey(crlf(text), Transport::seven_bit, 100);
    ASSERT_TRUE(plan) << text.substr(0, 100);
    EXPECT_FALSE(plan->changes()) << text.substr(0, 100);
  }
}

// A decoder of its own: it knows the parts by the boundaries that the test gave them.
std::string decoded(std::string_view body, std::string_view header) {
  std::string out;
  if (header.find("base64") != std::string_view::npos) {
    std::string joined;
    for (const char c : body) {
      if (c != '\r' && c != '\n') joined += c;
    }
    return base::base64_decode(joined).value_or("not base64");
  }
  if (header.find("quoted-printable") == std::string_view::npos) return std::string(body);
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '=') {
      out += body[i];
    } else if (body.substr(i + 1, 2) == "\r\n") {
      i += 2;
    } else {
      out += static_cast<char>(std::stoi(std::string(body.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    }
  }
  return out;
}

void collect(std::string_view entity, std::vector<std::string>& leaves) {
  const std::size_t end = entity.find("\r\n\r\n");
  const std::string_view header = entity.substr(0, end);
  const std::string_view body = entity.substr(end + 4);
  const std::size_t at = header.find("boundary=");
  if (at == std::string_view::npos) return leaves.push_back(decoded(body, header));
  const std::string boundary(header.substr(at + 9, header.find_first_of("\r", at) - at - 9));
  std::string rest = "\r\n" + std::string(body);
  const std::string delimiter = "\r\n--" + boundary;
  std::size_t from = rest.find(delimiter + "\r\n");
  while (from != std::string::npos) {
    from += delimiter.size() + 2;
    const std::size_t to = rest.find(delimiter, from);
    ASSERT_NE(to, std::string::npos);
    collect(std::string_view(rest).substr(from, to - from), leaves);
    from = rest.compare(to, delimiter.size() + 2, delimiter + "--") == 0 ? std::string::npos : to;
  }
}

class MessageMaker {
 public:
  explicit MessageMaker(unsigned seed) : random_(seed) {}

  std::string entity(int depth) {
    if (depth > 0 && below(3) > 0) {
      const std::string boundary = "b" + std::to_string(++boundaries_) + "_";
      std::string out = "Content-Type: multipart/mixed; boundary=" + boundary +
                        "\r\nContent-Transfer-Encoding: binary\r\n\r\n";
      for (unsigned n = below(4) + 1; n > 0; --n)
        out += "--" + boundary + "\r\n" + entity(depth - 1) + "\r\n";
      return out + "--" + boundary + "--\r\n";
    }
    const std::string type = below(2) == 0 ? "text/plain" : "image/x";
    return "Content-Type: " + type + "\r\nContent-Transfer-Encoding: binary\r\n\r\n" + content();
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  std::string content() {
    static const std::string kOctets("a-= \t.\r\n\xc3\xff\0", 11);
    const unsigned kind = below(3);
    std::string out;
    for (unsigned n = below(400); n > 0; --n) {
      const unsigned pick = below(kind == 0 ? 6 : kind == 1 ? 9 : 11);
      if (pick == 6) out += "\r\n";
      if (pick != 6) out += kind == 1 && pick >= 6 ? '\xc3' : kOctets[pick];
    }
    return out;
  }

  std::minstd_rand random_;
  int boundaries_ = 0;
};

// RFC 6152 3 (1): no loss of information.
TEST(TransferConverter, WhatIsDecodedIsWhatWasThere) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    const std::string text = "MIME-Version: 1.0\r\n" + MessageMaker(seed).entity(3);
    for (const Transport transport : {Transport::seven_bit, Transport::eight_bit}) {
      const auto out = convert(text, transport, seed % 50 + 1);
      ASSERT_TRUE(out) << seed << out.error().detail;
      const auto again = survey(*out, transport, 1000);
      ASSERT_TRUE(again) << seed << again.error().detail;
      EXPECT_FALSE(again->changes()) << seed;
      std::vector<std::string> before, after;
      collect(text, before);
      collect(*out, after);
      EXPECT_EQ(before, after) << seed;
    }
  }
}

}  // namespace
}  // namespace pinnace::mime
