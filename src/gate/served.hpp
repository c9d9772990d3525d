// A copy of the certificates that the gate served last, with their keys: where those in its files may not go
// in, it goes on with these, also after a restart.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gate/face.hpp"

namespace pinnace::gate {

class Served {
 public:
  // In this folder (0700), a file (0600) for each name.
  explicit Served(std::string folder) : folder_(std::move(folder)) {}

  // Nothing: there is no copy. Errors "gate.served", "tls.*": it cannot be read.
  base::Result<std::optional<std::vector<tls::OwnCertificate>>> read(const std::string& hostname) const;
  // Durable when it returns; what was there before is there until then. Error "gate.served".
  base::Result<> keep(const Host& host) const;

 private:
  std::string file_of(const std::string& hostname) const;
  std::string folder_;
};

}  // namespace pinnace::gate
