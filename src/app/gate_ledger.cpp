#include "app/gate_ledger.hpp"

#include <filesystem>

#include "api/control.hpp"
#include "app/gate_hosts.hpp"
#include "app/gate_keeper.hpp"
#include "app/ledger_json.hpp"

namespace pinnace::app {
namespace {

base::Result<> rebuild_from_files(const GateConfig& config, gate::Promises& promises,
                                  const base::Clock& clock) {
  const auto hosts = load_hosts(config);
  if (!hosts) return std::unexpected(hosts.error());
  const gate::Served served(served_of(config));
  gate::Keeping keeping(promises, served, clock, config.schedule);
  if (auto rebuilt = keeping.rebuild(*hosts); !rebuilt) return rebuilt;
  return promises.write_at_start();
}

}  // namespace

base::Result<boost::json::value> ledger_of(const std::string& config_file, bool rebuild) {
  const auto config = load_gate_config(config_file);
  if (!config) return std::unexpected(config.error());
  if (config->data.empty())
    return base::fail("gate.ledger", config_file + " sets no gate.data: no ledger is kept");
  if (!config->control.empty()) {
    const auto running = api::ask(config->control, {{"command", rebuild ? "gate.rebuild" : "gate.ledger"}});
    if (running || running.error().code != "api.control") return running;
  }
  // Who only looks makes no store.
  std::error_code error;
  if (!rebuild && !std::filesystem::exists(store_of(*config), error)) return ledgers_json({}, {});
  io::Loop loop;
  const base::SystemClock clock;
  auto database = store::Database::open(loop, store_of(*config), config->store);
  if (!database) return std::unexpected(database.error());
  using Damaged = gate::Promises::Damaged;
  auto promises = gate::Promises::open(**database, clock, rebuild ? Damaged::passed_over : Damaged::refused);
  if (!promises) return std::unexpected(promises.error());
  if (rebuild) {
    if (auto done = rebuild_from_files(*config, **promises, clock); !done)
      return std::unexpected(done.error());
  }
  return ledgers_json((*promises)->ledgers(), clock.now());
}

}  // namespace pinnace::app
