// Which certificates the gate shows, name by name: those in its files where every promise allows them, else
// those that it served before (pinning-protocol 7).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gate/promises.hpp"
#include "gate/served.hpp"

namespace pinnace::gate {

// What the files hold, and may not go in yet.
struct HeldBack {
  Host host;
  pins::Obstacle obstacle;
  std::string sentence() const;  // what, why, until when, and what to do
};

class Keeping {
 public:
  // The three must outlive it. `longest`: what may have been promised where a ledger was lost.
  Keeping(Promises& promises, const Served& served, const base::Clock& clock, pins::Schedule schedule)
      : promises_(promises), served_(served), clock_(clock), schedule_(std::move(schedule)) {}

  // From the files to what is shown; what it keeps back it logs as `certificate_held_back`. With
  // `break_promises` all goes in, and who loses by it is logged. Errors, and then nothing has changed: a copy
  // cannot be written; at the start besides "gate.promises": there is neither a certificate that may go in
  // nor one that was served.
  base::Result<std::vector<Host>> choose(std::vector<Host> files, bool break_promises);
  // The same names and certificates, as what they may promise is now.
  std::vector<Host> shown();

  const std::map<std::string, HeldBack>& held() const { return held_; }
  // When the first that is held back could go in.
  std::optional<base::Time> next_date() const;
  void alarm() const;

  // Its ledger was lost: all that may have been promised is assumed, of what was served last, else of the
  // files.
  base::Result<> rebuild(const std::vector<Host>& files);

 private:
  void assume(const std::string& hostname, const std::vector<tls::OwnCertificate>& live);
  base::Result<Host> choose_one(Host files, bool break_promises);
  base::Result<Host> keep_old(Host files, pins::Obstacle obstacle);
  base::Result<> check_names_gone(const std::vector<Host>& hosts, bool break_promises);
  Host with_terms(Host host);

  Promises& promises_;
  const Served& served_;
  const base::Clock& clock_;
  pins::Schedule schedule_;
  std::vector<Host> shown_;  // without what is held back
  std::map<std::string, HeldBack> held_;
};

}  // namespace pinnace::gate
