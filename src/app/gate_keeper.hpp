// A gate that keeps a ledger: what it loads at its start and at a reload, what it writes ahead, and what its
// timer does.
#pragma once

#include <memory>

#include "app/config.hpp"
#include "gate/gate.hpp"
#include "gate/keeping.hpp"

namespace pinnace::app {

// Of a gate's data folder.
inline std::string store_of(const GateConfig& config) { return config.data + "/store"; }
inline std::string served_of(const GateConfig& config) { return config.data + "/served"; }

class GateKeeper {
 public:
  // All three must outlive it. Errors as gate::Promises::open's.
  static base::Result<std::unique_ptr<GateKeeper>> open(io::Loop& loop, const GateConfig& config,
                                                        store::Database& database);

  // What the gate begins with, promised already. Errors: gate::Keeping::choose's, gate::Face::make's, the
  // store's.
  base::Result<gate::Face> start(std::vector<gate::Host> files, bool break_promises);
  // From the same files again, as far as promises allow. Errors: what is wrong with them; nothing changed
  // then.
  io::Task<base::Result<>> reload(gate::Gate& gate, bool break_promises);
  // For a gate whose ledger was lost while it ran, or is not believed.
  io::Task<base::Result<>> rebuild(gate::Gate& gate);
  // Writes ahead, lets in what had to wait, repeats alarms. Until stop().
  io::Task<void> run(gate::Gate& gate);
  void stop();

  const gate::Keeping& keeping() const { return keeping_; }
  const gate::Promises& promises() const { return *promises_; }

 private:
  GateKeeper(io::Loop& loop, const GateConfig& config, std::unique_ptr<gate::Promises> promises);
  io::Task<base::Result<>> load(gate::Gate& gate, bool break_promises);
  io::Task<void> write(const gate::Gate& gate);
  void renew_terms(gate::Gate& gate);
  base::Milliseconds until_next(const gate::Gate& gate) const;

  const GateConfig& config_;
  base::SystemClock clock_;
  gate::Served served_;
  std::unique_ptr<gate::Promises> promises_;
  gate::Keeping keeping_;
  io::Timer timer_;
  io::Steady::time_point alarmed_ = io::Steady::now();
  bool loading_ = false;
  bool stopping_ = false;
  bool written_ = true;
};

}  // namespace pinnace::app
