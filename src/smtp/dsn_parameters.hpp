// What MAIL and RCPT say of delivery status notifications (RFC 3461 4): read from their parameters, and
// written into the commands that relay the message. Values are kept as they came, so that they can go on
// unchanged (RFC 3461 5.2.1); what was not given is not made up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "names/dsn_wish.hpp"
#include "smtp/command.hpp"

namespace pinnace::smtp {

// Each parameter once. take(): true: `p` was one of them; false: it is none of them. Errors: "smtp.dsn".

struct MailDsn {
  static constexpr std::size_t kMaxEnvid = 100;  // RFC 3461 4.4

  names::Return ret = names::Return::unset;
  std::string envid;  // xtext; empty: none

  base::Result<bool> take(const Parameter& p);
  std::string parameters() const;  // " RET=HDRS ENVID=..."; empty where nothing is asked
};

struct RcptDsn {
  static constexpr std::size_t kMaxOrcpt = 500;  // RFC 3461 4.2

  names::Notify notify;
  std::string orcpt;  // "rfc822;xtext"; empty: none

  // `smtputf8`: MAIL has that parameter, so an address of type utf-8 may have other octets than ASCII.
  base::Result<bool> take(const Parameter& p, bool smtputf8);
  std::string parameters(bool smtputf8) const;  // " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;..."
};

// The octets that xtext stands for (RFC 3461 4); nothing where it is none, or where they are not all
// printable ASCII, space and tab (4.2, 4.4).
std::optional<std::string> decode_xtext(std::string_view text);

// An ORCPT as the field Original-Recipient of a message/delivery-status part has it: in ASCII, its xtext
// decoded (RFC 3461 6.3), but where the type is utf-8 (RFC 6533 3).
std::string original_recipient(std::string_view orcpt);

}  // namespace pinnace::smtp
