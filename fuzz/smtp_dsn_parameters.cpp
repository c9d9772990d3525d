// Parameters of MAIL and RCPT: what is taken is said again to the same, fits its limits, and neither it nor
// what a notice makes of it could end a line.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/dsn_parameters.hpp"

using namespace pinnace::smtp;

namespace {

void check_line(const std::string& text, bool ascii) {
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if ((octet < ' ' && octet != '\t') || octet == 0x7f || (ascii && octet > 0x7f)) std::abort();
  }
}

MailDsn mail(const std::string& line) {
  MailDsn dsn;
  const auto parsed = parse_mail(line);
  if (!parsed) return dsn;
  for (const Parameter& p : parsed->parameters) (void)dsn.take(p);
  return dsn;
}

RcptDsn rcpt(const std::string& line, bool smtputf8) {
  RcptDsn dsn;
  const auto parsed = parse_rcpt(line, "mx.test");
  if (!parsed) return dsn;
  for (const Parameter& p : parsed->parameters) (void)dsn.take(p, smtputf8);
  return dsn;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const MailDsn m = mail("FROM:<> " + text);
  check_line(m.parameters(), true);
  if (m.envid.size() > MailDsn::kMaxEnvid || !decode_xtext(m.envid)) std::abort();
  check_line(*decode_xtext(m.envid), true);
  const MailDsn m2 = mail("FROM:<>" + m.parameters());
  if (m2.envid != m.envid || m2.ret != m.ret) std::abort();

  for (const bool smtputf8 : {false, true}) {
    const RcptDsn r = rcpt("TO:<a@x.test> " + text, smtputf8);
    check_line(r.parameters(smtputf8), !smtputf8);
    check_line(r.parameters(false), true);
    if (!r.notify.valid() || r.orcpt.size() > RcptDsn::kMaxOrcpt) std::abort();
    if (!r.orcpt.empty()) check_line(original_recipient(r.orcpt), true);
    const RcptDsn r2 = rcpt("TO:<a@x.test>" + r.parameters(smtputf8), smtputf8);
    if (r2.notify != r.notify || r2.orcpt != r.orcpt) std::abort();
  }
  return 0;
}
