// What Postfix is told about a domain: an entry of its smtp_tls_policy_maps (postconf(5),
// socketmap_table(5)), never weaker than the decisions about the domain's hosts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "postfix/domain_known.hpp"

namespace pinnace::postfix {

struct Options {
  bool report_only = false;    // nothing is demanded of Postfix: what would be is told to people alone
  bool tlsrpt = false;         // Postfix 3.10 or later: the attributes policy_type and so on
  std::string anchors_folder;  // where the files for tafile= lie
};

// A file that an answer names: it must be there before the answer is given.
struct AnchorFile {
  std::string path;  // named by the digest of what is in it
  std::string pem;
};

struct Telling {
  enum class Kind { ok, not_found, temp };
  Kind kind = Kind::temp;
  std::string text;    // of ok: "secure match=mx.example.org servername=hostname"; of temp: the reason
  std::string reason;  // for people, one line: what it is made of
  std::vector<std::string> notes;  // hosts left out, demands that were narrowed, and why
  std::vector<AnchorFile> files;
  // Something of it holds no longer then (a seen certificate expires).
  std::optional<base::Time> until;
  // It demands something of the connection: told on, past its time, it is not weaker than the policy.
  bool demanding = false;
  // Another probe could make it better: what is needed was not seen yet.
  bool wants_probe = false;
};

Telling tell(const DomainKnown& known, const Options& options);

}  // namespace pinnace::postfix
