// The TXT record at "_mta-sts" (RFC 8461 3.1): does the domain have a policy, and which instance of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "names/txt_fields.hpp"

namespace pinnace::sts {

struct Txt {
  std::string id;
  std::vector<names::TxtField> extensions;  // what RFC 8461 does not know
};

struct ParsedTxt {
  std::optional<Txt> txt;
  std::vector<std::string> problems;  // each with its section
};

// Every TXT record of the name, its strings joined. None but one of this version: no policy.
ParsedTxt parse_txt(std::span<const std::string> records);

}  // namespace pinnace::sts
