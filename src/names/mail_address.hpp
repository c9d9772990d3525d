// A mailbox (RFC 5321 4.1.2, RFC 6531 3.3) that exists only parsed and canonical.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::names {

class MailAddress {
 public:
  // "local@domain", "\"quoted local\"@domain", "local@[192.0.2.1]". The domain becomes lower-case
  // A-labels; quotes that are not needed are dropped, so equal mailboxes are equal texts.
  static base::Result<MailAddress> parse(std::string_view text);

  const std::string& local() const { return local_; }    // quoted where it must be
  const std::string& domain() const { return domain_; }  // or the literal with its brackets
  bool is_literal() const { return domain_.starts_with('['); }
  bool is_ascii() const;  // false: only SMTPUTF8 carries it (RFC 6531)
  std::string str() const { return local_ + "@" + domain_; }
  auto operator<=>(const MailAddress&) const = default;

 private:
  MailAddress(std::string local, std::string domain) : local_(std::move(local)), domain_(std::move(domain)) {}
  std::string local_;
  std::string domain_;
};

// RFC 5321 4.1.3: "[192.0.2.1]" or "[IPv6:2001:db8::1]" in the form that MailAddress has it in; nothing: it
// is none. General address literals are of no use to a relay and are refused.
std::optional<std::string> address_literal(std::string_view text);

// Well-formed UTF-8 (RFC 3629), no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

}  // namespace pinnace::names
