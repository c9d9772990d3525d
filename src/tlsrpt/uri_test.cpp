#include "tlsrpt/uri.hpp"

#include <gtest/gtest.h>

namespace pinnace::tlsrpt {
namespace {

// RFC 8460 3, RFC 3986
TEST(TlsrptUri, GrammarAndWhereAReportCanGo) {
  using enum UriKind;
  const struct {
    const char* text;
    UriKind kind;
  } cases[] = {
      {"mailto:reports@x.test", mailto},
      {"MailTo:reports@x.test", mailto},
      {"mailto:a%2Cb@x.test", other},  // RFC 5321 4.1.2: a comma stands in quotes
      {"mailto:%22a%2Cb%22@x.test", mailto},
      {"mailto:a@x.test?subject=tls", mailto},
      {"mailto:a@[192.0.2.1]", none},  // RFC 3986 3.3: brackets are not in a path
      {"mailto:a@%5B192.0.2.1%5D", mailto},
      {"https://x.test/v1", https},
      {"https://x.test", https},
      {"https://x.test:8443/v1?a=b#c", https},
      {"https://[2001:db8::1]/v1", https},
      {"HTTPS://x.test/%7e%2C", https},
      {"http://x.test/", other},
      {"tel:123", other},
      {"mailto:", other},
      {"mailto:reports", other},
      {"mailto:@x.test", other},
      {"https:", other},
      {"https:///v1", other},
      {"https:x.test", other},
      {"", none},
      {"a@x.test", none},
      {":a@x.test", none},
      {"1mailto:a@x.test", none},
      {"mail_to:a@x.test", none},
      {"mailto:a@x.test!10m", none},
      {"mailto:a b@x.test", none},
      {"mailto:a\"b@x.test", none},
      {"mailto:a%2@x.test", none},
      {"mailto:a@x.test%", none},
      {"mailto:a@x.test%4", none},
      {"https://x.test/a|b", none},
      {"https://x.test/{a}", none},
      {"https://x.test/a#b#c", none},
      {"https://x.test:80a/", none},
      {"https://[::1/", none},
      {"https://[::1]x/", none},
      {"https://[]/", none},
      {"https://x.test/\xc3\xbc", none},
      {"https://x.test/\x7f", none},
  };
  for (const auto& c : cases) EXPECT_EQ(uri_kind(c.text), c.kind) << c.text;
}

}  // namespace
}  // namespace pinnace::tlsrpt
