#include "app/gate_keeper.hpp"

#include <algorithm>

#include "app/gate_hosts.hpp"

namespace pinnace::app {
namespace {

constexpr auto kAlarmAgain = std::chrono::hours(24);
constexpr auto kWriteAgain = std::chrono::minutes(1);  // where it failed

bool same_adverts(const gate::Face& a, const gate::Face& b) {
  return std::ranges::equal(a.names(), b.names(), {}, &gate::Face::Name::advert, &gate::Face::Name::advert);
}

}  // namespace

GateKeeper::GateKeeper(io::Loop& loop, const GateConfig& config, std::unique_ptr<gate::Promises> promises)
    : config_(config),
      served_(served_of(config)),
      promises_(std::move(promises)),
      keeping_(*promises_, served_, clock_, config.schedule),
      timer_(loop) {}

base::Result<std::unique_ptr<GateKeeper>> GateKeeper::open(io::Loop& loop, const GateConfig& config,
                                                           store::Database& database) {
  static const base::SystemClock clock;
  auto promises = gate::Promises::open(database, clock);
  if (!promises) return std::unexpected(promises.error());
  return std::unique_ptr<GateKeeper>(new GateKeeper(loop, config, std::move(*promises)));
}

base::Result<gate::Face> GateKeeper::start(std::vector<gate::Host> files, bool break_promises) {
  // What could not be promised at all is no matter of dates.
  if (auto sound = gate::Face::make(files, config_.gate.advert, config_.gate.tls); !sound) return sound;
  auto hosts = keeping_.choose(std::move(files), break_promises);
  if (!hosts) return std::unexpected(hosts.error());
  auto face = gate::Face::make(std::move(*hosts), config_.gate.advert, config_.gate.tls);
  if (!face) return face;
  promises_->cover(*face);
  if (auto written = promises_->write_at_start(); !written) return std::unexpected(written.error());
  return face;
}

io::Task<base::Result<>> GateKeeper::load(gate::Gate& gate, bool break_promises) {
  auto files = load_hosts(config_);
  if (!files) co_return std::unexpected(files.error());
  const auto sound = gate::Face::make(*files, config_.gate.advert, config_.gate.tls);
  if (!sound) co_return std::unexpected(sound.error());
  auto hosts = keeping_.choose(std::move(*files), break_promises);
  if (!hosts) co_return std::unexpected(hosts.error());
  auto face = gate::Face::make(std::move(*hosts), config_.gate.advert, config_.gate.tls);
  if (!face) co_return std::unexpected(face.error());
  if (break_promises) {
    // Until that is written the broken promises might still be made.
    const auto broken = co_await promises_->write();
    if (!broken) co_return broken;
  }
  gate.renew(std::move(*face));
  co_await write(gate);
  co_return base::Result<>{};
}

io::Task<base::Result<>> GateKeeper::reload(gate::Gate& gate, bool break_promises) {
  if (loading_) co_return base::fail("gate.busy", "certificates are being loaded already: try again");
  loading_ = true;
  const auto done = co_await load(gate, break_promises);
  loading_ = false;
  timer_.cancel();  // another date may be the next
  co_return done;
}

io::Task<base::Result<>> GateKeeper::rebuild(gate::Gate& gate) {
  auto files = load_hosts(config_);
  if (!files) co_return std::unexpected(files.error());
  const auto rebuilt = keeping_.rebuild(*files);
  if (!rebuilt) co_return rebuilt;
  renew_terms(gate);
  promises_->cover(gate.face());
  co_return co_await promises_->write();
}

io::Task<void> GateKeeper::write(const gate::Gate& gate) {
  promises_->cover(gate.face());
  const auto done = co_await promises_->write();
  if (written_ && !done) {
    base::log_error("promises_not_written",
                    {{"detail", done.error().detail},
                     {"what", "no pins are advertised while what is promised cannot be remembered"}});
  } else if (!written_ && done) {
    base::log_info("promises_written", {});
  }
  written_ = done.has_value();
}

// The ramp and the end of the first week, from the next session on.
void GateKeeper::renew_terms(gate::Gate& gate) {
  auto face = gate::Face::make(keeping_.shown(), config_.gate.advert, config_.gate.tls);
  if (face && !same_adverts(*face, gate.face())) gate.renew(std::move(*face));
}

base::Milliseconds GateKeeper::until_next(const gate::Gate& gate) const {
  base::Milliseconds out = std::chrono::hours(1);
  for (const gate::Face::Name& name : gate.face().names())
    if (!name.advert.withdraws()) out = std::min<base::Milliseconds>(out, pins::margin(*name.advert.max_age));
  if (!written_) out = std::min<base::Milliseconds>(out, kWriteAgain);
  if (const auto date = keeping_.next_date())
    out = std::min(out, std::max<base::Milliseconds>(*date - clock_.now(), std::chrono::milliseconds(10)));
  return out;
}

io::Task<void> GateKeeper::run(gate::Gate& gate) {
  while (!stopping_) {
    co_await timer_.wait(until_next(gate));
    if (stopping_) co_return;
    const auto date = keeping_.next_date();
    if (date && *date <= clock_.now() && !loading_) {
      const auto done = co_await reload(gate, false);
      if (!done) base::log_error("certificate_not_reloaded", {{"reason", done.error().detail}});
      if (done && keeping_.held().empty())
        base::log_info("certificate_taken", {{"what", "what had been held back is served now"}});
    }
    if (io::Steady::now() - alarmed_ >= kAlarmAgain) {
      alarmed_ = io::Steady::now();
      keeping_.alarm();
    }
    renew_terms(gate);
    co_await write(gate);
  }
}

void GateKeeper::stop() {
  stopping_ = true;
  timer_.cancel();
}

}  // namespace pinnace::app
