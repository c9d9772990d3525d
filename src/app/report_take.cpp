// `pinnace report take`: where an MTA pipes the reports that come by mail.
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "api/control.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/gate_keeper.hpp"
#include "app/gate_reports.hpp"
#include "base/base64.hpp"
#include "process/user.hpp"
#include "tlsrpt/report_mail.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

// sysexits.h is what an MTA's pipe goes by: EX_DATAERR is returned to the sender, EX_TEMPFAIL tried again.
int end(int code, const std::string& why) {
  std::fprintf(stderr, "pinnace: %s\n", why.c_str());
  return code;
}

base::Result<std::string> read_all(std::istream& in) {
  std::string out;
  char buffer[64 << 10];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    out.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (out.size() > tlsrpt::kMaxDelivered)
      return base::fail("tlsrpt.size", fmt::format("more than {} octets", tlsrpt::kMaxDelivered));
  }
  if (in.bad()) return base::fail("report.read", "the report cannot be read");
  return out;
}

base::Result<std::string> read_file(const std::string& file) {
  if (file == "-") return read_all(std::cin);
  std::ifstream in(file, std::ios::binary);
  if (!in) return base::fail("report.read", "cannot read " + file);
  return read_all(in);
}

io::Task<void> keep(io::Loop& loop, reporting::Inbound& inbound, std::string text,
                    base::Result<reporting::Taken>& out) {
  out = co_await inbound.take(std::move(text), "mail");
  loop.stop();
}

io::Task<void> hold(io::Timer& timer) {  // while only other threads work
  const bool elapsed = co_await timer.wait(std::chrono::minutes(1));
  (void)elapsed;
}

// Into the store itself, while no gate has it.
base::Result<reporting::Taken> keep_offline(const GateConfig& config, std::string text) {
  if (config.data.empty()) return base::fail("gate.data", "the configuration names no store: set gate.data");
  io::Loop loop;
  const base::SystemClock clock;
  auto db = store::Database::open(loop, store_of(config), {});
  if (!db) return std::unexpected(db.error());
  reporting::Inbound inbound(loop, **db, clock, config.reports);
  if (auto loaded = inbound.load(); !loaded) return std::unexpected(loaded.error());
  base::Result<reporting::Taken> out = base::fail("report.take", "it took more than a minute");
  io::Timer timer(loop);
  loop.spawn(hold(timer));
  loop.spawn(keep(loop, inbound, std::move(text), out));
  loop.run();
  loop.drop_tasks();
  return out;
}

// What root wrote the gate could not read at its next start.
base::Result<> become_gate(const std::string& name) {
  if (name.empty() || ::geteuid() != 0) return {};
  const auto user = process::find_user(name);
  if (!user) return std::unexpected(user.error());
  return process::become(*user);
}

int offline(const std::string& config_file, std::string text) {
  const auto config = load_gate_config(config_file);
  if (!config) return end(EX_TEMPFAIL, config.error().detail);
  if (const auto done = become_gate(config->process.user); !done)
    return end(EX_TEMPFAIL, done.error().detail);
  const auto taken = keep_offline(*config, std::move(text));
  if (taken) return EX_OK;
  return end(never_taken(taken.error()) ? EX_DATAERR : EX_TEMPFAIL, taken.error().detail);
}

}  // namespace

int report_take(const ReportRequest& request) {
  auto text = read_file(request.file);
  if (!text) return end(never_taken(text.error()) ? EX_DATAERR : EX_TEMPFAIL, text.error().detail);
  // What is no report is said without a gate too.
  auto report = tlsrpt::report_json(*text);
  if (!report) return end(EX_DATAERR, report.error().detail);
  const auto answer = api::ask(request.service.control,
                               {{"command", "report.take"}, {"delivered", base::base64_encode(*report)}});
  if (!answer) {
    if (answer.error().code == "api.control" && !request.config.empty())
      return offline(request.config, std::move(*report));
    return end(EX_TEMPFAIL, answer.error().detail);
  }
  const json::object& said = answer->as_object();
  if (!said.at("taken").as_bool()) return end(EX_DATAERR, std::string(said.at("why").as_string()));
  if (request.service.json) fmt::print("{}\n", json::serialize(*answer));
  return EX_OK;
}

}  // namespace pinnace::app
