// A mailbox (RFC 5321 4.1.2, RFC 6531 3.3) that exists only parsed and canonical.
#pragma once

#include <compare>
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

// Well-formed UTF-8 (RFC 3629), no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

}  // namespace pinnace::names
