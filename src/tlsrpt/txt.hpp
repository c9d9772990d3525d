// The TXT record at "_smtp._tls" (RFC 8460 3): where reports of a domain's TLS go.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "names/txt_fields.hpp"

namespace pinnace::tlsrpt {

struct Txt {
  std::vector<std::string> rua;  // mailto: and https: URIs
  std::vector<names::TxtField> extensions;
};

struct ParsedTxt {
  std::optional<Txt> txt;
  std::vector<std::string> problems;  // each with its section
};

// Every TXT record of the name, its strings joined. None but one of this version: no reports.
ParsedTxt parse_txt(std::span<const std::string> records);

}  // namespace pinnace::tlsrpt
