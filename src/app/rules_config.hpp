// The operator's rules as a configuration has them: [[rule]] (docs/configuration.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/toml_section.hpp"
#include "policy/rule.hpp"
#include "tls/own_certificate.hpp"

namespace pinnace::app {

// One of [[client_certificate]].
struct ClientCertificate {
  std::string certificate_file;
  std::string key_file;
  tls::OwnCertificate loaded;
};
using ClientCertificates = std::map<std::string, ClientCertificate>;  // by the name that rules use

// What is wrong is reported to the file, also with a certificate's own files.
ClientCertificates read_client_certificates(TomlFile& file);

struct RulesRead {
  policy::RuleBook book;
  std::vector<std::string> pin_files;  // of which `pins` of a rule were taken
};

// A waiver that is over at `now` is wrong: it is renewed, or goes.
RulesRead read_rules(TomlFile& file, const ClientCertificates& certificates, base::Time now);

}  // namespace pinnace::app
