#include "mime/missing_fields.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

const std::string kDate = "Date: Mon, 23 Nov 2026 18:27:51 +0000\r\n";
const std::string kId = "Message-ID: <1@x.test>\r\n";

std::string through(const std::string& text, std::size_t piece) {
  MissingFields fields("Mon, 23 Nov 2026 18:27:51 +0000", "<1@x.test>");
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string part = text.substr(at, piece);
    out += fields.pass(part);
  }
  out += fields.finish();
  return out;
}

// RFC 6409 8.2, 8.3
TEST(MissingFields, AreAddedBehindTheHeader) {
  const std::string field(9'000, 'x');
  const struct {
    std::string given, expected;
    const char* why;
  } kRows[] = {
      {"Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n" + kDate + kId + "\r\nbody\r\n", "both"},
      {"date: then\r\n\r\nDate: in the body\r\n", "date: then\r\n" + kId + "\r\nDate: in the body\r\n",
       "one, any case"},
      {"Message-Id : <a@b>\r\nDATE: then\r\n\r\nx\r\n", "Message-Id : <a@b>\r\nDATE: then\r\n\r\nx\r\n",
       "none"},
      {"X: a\r\n Date: folded\r\n\r\n", "X: a\r\n Date: folded\r\n" + kDate + kId + "\r\n",
       "no field, but its fold"},
      {"Dates: x\r\n\r\n", "Dates: x\r\n" + kDate + kId + "\r\n", "another field"},
      {"DKIM-Signature: v=1\r\n\r\nx\r\n", "DKIM-Signature: v=1\r\n\r\nx\r\n", "signed"},
      {"\r\nbody\r\n", kDate + kId + "\r\nbody\r\n", "an empty header"},
      {"just text\r\nSubject: no\r\n", kDate + kId + "\r\njust text\r\nSubject: no\r\n", "no header"},
      {" folded first\r\n", kDate + kId + "\r\n folded first\r\n", "a fold of nothing"},
      {"Subject: x\r\ntext\r\n", "Subject: x\r\n" + kDate + kId + "\r\ntext\r\n", "no empty line"},
      {"Subject: x\r\n", "Subject: x\r\n" + kDate + kId, "no body"},
      {"", kDate + kId, "nothing"},
      {"X: " + field + "\r\nDate: d\r\n\r\nx\r\n", "X: " + field + "\r\nDate: d\r\n" + kId + "\r\nx\r\n",
       "a long line"},
      {field + "\r\n\r\nx\r\n", kDate + kId + "\r\n" + field + "\r\n\r\nx\r\n",
       "a long line that is no field"},
  };
  for (const auto& row : kRows) {
    for (const std::size_t piece : {1, 2, 7, 5'000, 100'000})
      EXPECT_EQ(through(row.given, piece), row.expected) << row.why;
  }
}

}  // namespace
}  // namespace pinnace::mime
