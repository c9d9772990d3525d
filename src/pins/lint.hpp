// What `pinnace lint pkp` says of EHLO lines: is the advert valid, and would a sender note it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pins/noting.hpp"

namespace pinnace::pins {

// The PKP and STSEC lines of an EHLO reply as captured: "250-PKP ...", "250 PKP ..." or "PKP ...";
// lines end in CRLF or LF; other lines are passed over.
struct EhloText {
  std::vector<std::string> pkp;  // the texts behind the keyword
  std::vector<std::string> stsec;
  std::vector<std::string> problems;  // "line 3: more than 512 octets"
};
EhloText read_ehlo_text(std::string_view text);

struct Lint {
  ParsedAdvert parsed;
  std::optional<Stsec> stsec;
  std::vector<std::string> problems;
  bool valid = false;
};
Lint lint(std::string_view text);

// Pins written anyhow: EHLO lines, "pin-sha256: BASE64", or a bare base64 a line; '#' begins a comment.
// Error "pins.file" names the line.
base::Result<std::vector<Pin>> read_pins(std::string_view text);

}  // namespace pinnace::pins
