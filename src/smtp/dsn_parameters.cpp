#include "smtp/dsn_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "names/mail_address.hpp"
#include "smtp/keyword.hpp"

namespace pinnace::smtp {
namespace {

using names::Notify;
using names::Return;

auto bad(std::string_view why) { return base::fail("smtp.dsn", std::string(why)); }

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

int hex_digit(char c) {  // upper case only, as RFC 3461 4 has it
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// RFC 822 3.3: an atom, without the '=' that no parameter's value may have.
bool is_address_type(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    const bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    return alnum || std::string_view("!#$%&'*+-/?^_`{|}~").find(c) != std::string_view::npos;
  });
}

// C2 80 to C2 9F are controls in UTF-8.
bool has_c1(std::string_view s) {
  for (std::size_t i = 1; i < s.size(); ++i) {
    if (s[i - 1] == '\xc2' && static_cast<unsigned char>(s[i]) < 0xa0) return true;
  }
  return false;
}

// Nothing: not a list that RFC 3461 4.1 has. As in its "1#", elements may come twice or be empty.
std::optional<Notify> parse_notify(std::string_view value) {
  Notify notify;
  while (!value.empty()) {
    const std::string word = keyword(value.substr(0, value.find(',')));
    value.remove_prefix(std::min(word.size() + 1, value.size()));
    if (word.empty()) continue;
    const bool second_after_never = notify.bits == Notify::kNever;
    const std::uint8_t bit = word == "SUCCESS"   ? Notify::kSuccess
                             : word == "FAILURE" ? Notify::kFailure
                             : word == "DELAY"   ? Notify::kDelay
                             : word == "NEVER"   ? Notify::kNever
                                                 : 0;
    if (bit == 0 || second_after_never) return std::nullopt;
    notify.bits |= bit;
  }
  if (!notify.asked() || !notify.valid()) return std::nullopt;
  return notify;
}

// Empty: it is well-formed.
std::string_view what_is_wrong_with_orcpt(std::string_view value, bool smtputf8) {
  if (value.size() > RcptDsn::kMaxOrcpt) return "ORCPT= has more than 500 octets";
  const std::size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos || !is_address_type(value.substr(0, semicolon)))
    return "ORCPT= takes an address type, ';' and the address";
  const std::string_view address = value.substr(semicolon + 1);
  // RFC 6533 3: with SMTPUTF8 the type utf-8 may have UTF-8 as it is. What does not conform to that type's
  // own encoding is let pass, if it is xtext, and goes on unaltered.
  std::string ascii(address);
  std::replace_if(ascii.begin(), ascii.end(), [](char c) { return !is_ascii(c); }, 'x');
  if (ascii != address) {
    if (!smtputf8 || keyword(value.substr(0, semicolon)) != "UTF-8")
      return "ORCPT= has octets that are not ASCII: they need the type utf-8, and SMTPUTF8 in MAIL";
    if (!names::is_utf8(address) || has_c1(address)) return "ORCPT= is not UTF-8";
  }
  return decode_xtext(ascii) ? "" : "ORCPT= is not xtext of printable characters";
}

// RFC 6533 3: "\x{FC}" for each character that is not ASCII. `text` is UTF-8.
std::string embed_unicode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) {
      out += static_cast<char>(lead);
      continue;
    }
    std::uint32_t point = lead & (lead < 0xe0 ? 0x1f : lead < 0xf0 ? 0x0f : 0x07);
    for (; i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80; ++i)
      point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
    out += fmt::format("\\x{{{:X}}}", point);
  }
  return out;
}

std::string notify_value(Notify notify) {
  if (notify.bits == Notify::kNever) return "NEVER";
  std::string out;
  if (notify.bits & Notify::kSuccess) out += ",SUCCESS";
  if (notify.bits & Notify::kFailure) out += ",FAILURE";
  if (notify.bits & Notify::kDelay) out += ",DELAY";
  return out.substr(1);
}

}  // namespace

std::optional<std::string> decode_xtext(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int octet = static_cast<unsigned char>(text[i]);
    if (octet <= ' ' || octet > '~' || octet == '=') return std::nullopt;
    if (octet == '+') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      octet = high << 4 | low;
      i += 2;
      // RFC 3461 4.2, 4.4: a line end in it would end the notice's field as well
      if ((octet < ' ' && octet != '\t') || octet > '~') return std::nullopt;
    }
    out += static_cast<char>(octet);
  }
  return out;
}

base::Result<bool> MailDsn::take(const Parameter& p) {
  if (p.keyword == "RET") {
    const std::string value = keyword(p.value);
    if (ret != Return::unset) return bad("RET= comes twice");  // RFC 3461 4.5
    if (value != "FULL" && value != "HDRS") return bad("RET= is FULL or HDRS");
    ret = value == "FULL" ? Return::full : Return::headers;
    return true;
  }
  if (p.keyword != "ENVID") return false;
  if (!envid.empty()) return bad("ENVID= comes twice");  // RFC 3461 4.5
  if (p.value.size() > kMaxEnvid) return bad("ENVID= has more than 100 octets");
  if (p.value.empty() || !decode_xtext(p.value)) return bad("ENVID= takes xtext of printable characters");
  envid = p.value;
  return true;
}

std::string MailDsn::parameters() const {
  std::string out;
  if (ret != Return::unset) out += ret == Return::full ? " RET=FULL" : " RET=HDRS";
  if (!envid.empty()) out += " ENVID=" + envid;
  return out;
}

base::Result<bool> RcptDsn::take(const Parameter& p, bool smtputf8) {
  if (p.keyword == "NOTIFY") {
    if (notify.asked()) return bad("NOTIFY= comes twice");  // RFC 3461 4.5
    const auto parsed = parse_notify(p.value);
    if (!parsed) return bad("NOTIFY= is NEVER, or a list of SUCCESS, FAILURE and DELAY");
    notify = *parsed;
    return true;
  }
  if (p.keyword != "ORCPT") return false;
  if (!orcpt.empty()) return bad("ORCPT= comes twice");  // RFC 3461 4.5
  if (const auto wrong = what_is_wrong_with_orcpt(p.value, smtputf8); !wrong.empty()) return bad(wrong);
  orcpt = p.value;
  return true;
}

std::string RcptDsn::parameters(bool smtputf8) const {
  std::string out;
  if (notify.asked()) out += " NOTIFY=" + notify_value(notify);
  // RFC 6533 3: without SMTPUTF8 only its form in ASCII
  if (!orcpt.empty()) out += " ORCPT=" + (smtputf8 ? orcpt : embed_unicode(orcpt));
  return out;
}

std::string original_recipient(std::string_view orcpt) {
  const std::size_t address = orcpt.find(';') + 1;
  // RFC 6533 3: this type has an encoding of its own, which such a part keeps.
  if (keyword(orcpt.substr(0, address)) == "UTF-8;") return embed_unicode(orcpt);
  const auto decoded = decode_xtext(orcpt.substr(address));
  return std::string(orcpt.substr(0, address)) + decoded.value_or("");
}

}  // namespace pinnace::smtp
