// SMTP commands (RFC 5321 4.1.1) as a server reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pinnace::smtp {

enum class Verb {
  helo,
  ehlo,
  starttls,
  mail,
  rcpt,
  data,
  bdat,
  rset,
  noop,
  quit,
  vrfy,
  expn,
  help,
  etrn,
  auth,
  xclient,
  unknown
};

struct Command {
  Verb verb = Verb::unknown;
  std::string_view argument;  // into the line given
};

// A command line without its CRLF.
Command parse_command(std::string_view line);

struct Parameter {
  std::string keyword;  // upper case
  std::string value;
  bool has_value = false;
};

// The argument of MAIL ("FROM:<...> ...") or RCPT ("TO:<...> ...").
struct PathArgument {
  std::string path;   // canonical mailbox; empty for the null reverse-path
  bool ascii = true;  // as it came: false needs SMTPUTF8
  std::vector<Parameter> parameters;
};

// RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2. Source routes are dropped (appendix C). `<postmaster>` becomes
// postmaster@hostname; a null path is for MAIL only. Errors: "smtp.syntax".
base::Result<PathArgument> parse_mail(std::string_view argument);
base::Result<PathArgument> parse_rcpt(std::string_view argument, std::string_view hostname);

// The argument of BDAT (RFC 3030 2): "100", "0 LAST".
struct Chunk {
  std::uint64_t size = 0;
  bool last = false;
};

// Nothing: what follows the command is of unknown length.
std::optional<Chunk> parse_bdat(std::string_view argument);

}  // namespace pinnace::smtp
