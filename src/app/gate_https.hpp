// What a gate serves over HTTPS.
#pragma once

#include <map>
#include <memory>

#include "app/config.hpp"
#include "app/gate_policies.hpp"
#include "app/gate_reports.hpp"
#include "http/server.hpp"
#include "reporting/inbound.hpp"

namespace pinnace::app {

// The certificates that the configuration names; nothing where there is no server. Errors as
// tls::OwnCertificate::load's.
base::Result<std::optional<tls::ServerContext>> load_https(const GateHttpsConfig& config);

// TLS reports by POST (RFC 8460 5.4). Whoever wants may send some; so many an hour of each client are looked
// at.
class ReportsPosted {
 public:
  static constexpr std::size_t kMostAnHour = 100;
  static constexpr std::size_t kMostClients = 10'000;

  // Both outlive it, and it the server.
  ReportsPosted(reporting::Inbound& inbound, const base::Clock& clock) : inbound_(inbound), clock_(clock) {}
  http::Resource resource();

 private:
  io::Task<http::ServerResponse> take(http::ServerRequest request);
  bool counts(const io::IpAddress& client);

  reporting::Inbound& inbound_;
  const base::Clock& clock_;
  base::Time hour_{};
  std::map<io::IpAddress, std::size_t> posted_;  // in this hour, by party
};

// The HTTPS server and the reports, where the configuration has them.
class GateHttps {
 public:
  // `tls`: of load_https(), before the process gives up what may read the keys; nothing: no server. `db`: the
  // gate's store, or null. All outlive it. `pins` as GateReports'. Errors: the store's.
  static base::Result<std::unique_ptr<GateHttps>> make(io::Loop& loop, const base::Clock& clock,
                                                       const GateConfig& config,
                                                       std::optional<tls::ServerContext> tls,
                                                       store::Database* db,
                                                       std::function<std::optional<PinsHeld>()> pins);
  // With the keys of `face`. Before start().
  void serve_policies(const gate::Face& face);
  base::Result<> start();
  void stop();
  bool stopped() const { return !server_ || server_->sessions() == 0; }
  // The certificates and the domains that the configuration names now, and policies with the keys of `face`.
  // What is wrong is logged, and then certificates and domains stay.
  void reload(const gate::Face& face, const std::string& config_file);

  // "report.take" and "report.inbound".
  io::Task<base::Result<boost::json::value>> answer(boost::json::object request);

 private:
  GateHttps(io::Loop& loop, const GateConfig& config) : loop_(loop), config_(config) {}
  io::Task<void> tend_daily();
  base::Result<> renew(const gate::Face& face, const std::string& config_file);

  io::Loop& loop_;
  const GateConfig& config_;
  std::unique_ptr<reporting::Inbound> inbound_;
  std::unique_ptr<GateReports> reports_;
  std::unique_ptr<ReportsPosted> posted_;
  PoliciesServed policies_;
  std::optional<tls::ServerContext> tls_;  // the server's, at the start
  std::unique_ptr<http::Server> server_;
};

}  // namespace pinnace::app
