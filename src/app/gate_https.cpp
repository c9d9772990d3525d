#include "app/gate_https.hpp"

#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "tlsrpt/report_mail.hpp"

namespace pinnace::app {
namespace {

http::ServerResponse plain(int status, std::string text) {
  http::ServerResponse response;
  response.status = status;
  response.body = std::move(text) + "\n";
  return response;
}

// RFC 8460 5.4 has the first two; the others are what some send instead.
bool is_report_type(std::string_view type) {
  constexpr std::array<std::string_view, 6> kTypes = {"application/tlsrpt+gzip", "application/tlsrpt+json",
                                                      "application/gzip",        "application/x-gzip",
                                                      "application/json",        "application/octet-stream"};
  std::string named(type.substr(0, type.find_first_of("; \t")));
  for (char& c : named) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(kTypes.begin(), kTypes.end(), named) != kTypes.end();
}

}  // namespace

base::Result<std::optional<tls::ServerContext>> load_https(const GateHttpsConfig& config) {
  if (config.server.listen.empty()) return std::nullopt;
  std::vector<tls::Identity> identities;
  for (const CertificateFiles& files : config.certificates) {
    auto own = tls::OwnCertificate::load(files.certificate, files.key);
    if (!own) return std::unexpected(own.error());
    identities.push_back({"", {std::move(*own)}});
  }
  auto context = tls::ServerContext::of(std::move(identities));
  if (!context) return std::unexpected(context.error());
  return std::move(*context);
}

http::Resource ReportsPosted::resource() {
  return {"POST", tlsrpt::kMaxDelivered,
          [this](http::ServerRequest request) { return take(std::move(request)); }};
}

bool ReportsPosted::counts(const io::IpAddress& client) {
  const base::Time now = clock_.now();
  if (now >= hour_ + std::chrono::hours(1) || now < hour_) {
    hour_ = now;
    posted_.clear();
  }
  const io::IpAddress party = client.party();
  if (!posted_.contains(party) && posted_.size() >= kMostClients) return false;
  return ++posted_[party] <= kMostAnHour;
}

io::Task<http::ServerResponse> ReportsPosted::take(http::ServerRequest request) {
  if (!counts(request.client)) {
    http::ServerResponse busy = plain(429, "too many reports from there; try again in an hour");
    busy.fields.emplace_back("Retry-After", "3600");
    co_return busy;
  }
  if (!is_report_type(request.head.content_type))
    co_return plain(415, "application/tlsrpt+gzip or application/tlsrpt+json is expected");
  const std::string from = request.client.str();
  const auto taken = co_await inbound_.take(std::move(request.body), from);
  log_taken(taken, from);
  if (taken) co_return plain(taken->known ? 200 : 201, taken->known ? "known already" : "taken");
  if (never_taken(taken.error())) co_return plain(400, taken.error().detail);
  http::ServerResponse failed = plain(503, "no report can be kept now; try again later");
  failed.fields.emplace_back("Retry-After", "3600");
  co_return failed;
}

base::Result<std::unique_ptr<GateHttps>> GateHttps::make(io::Loop& loop, const base::Clock& clock,
                                                         const GateConfig& config,
                                                         std::optional<tls::ServerContext> tls,
                                                         store::Database* db,
                                                         std::function<std::optional<PinsHeld>()> pins) {
  std::unique_ptr<GateHttps> out(new GateHttps(loop, config));
  if (db) {
    out->inbound_ = std::make_unique<reporting::Inbound>(loop, *db, clock, config.reports);
    if (auto loaded = out->inbound_->load(); !loaded) return std::unexpected(loaded.error());
    out->reports_ = std::make_unique<GateReports>(*out->inbound_, clock, std::move(pins));
    out->posted_ = std::make_unique<ReportsPosted>(*out->inbound_, clock);
  }
  if (!tls) return out;
  out->tls_ = tls;
  out->server_ = std::make_unique<http::Server>(loop, clock, config.https.server, std::move(*tls));
  if (!config.https.reports.empty() && out->posted_)
    out->server_->add(config.https.reports, out->posted_->resource());
  return out;
}

base::Result<> GateHttps::start() {
  if (inbound_) loop_.spawn(tend_daily());
  return server_ ? server_->start() : base::Result<>();
}

void GateHttps::stop() {
  if (server_) server_->stop();
}

void GateHttps::serve_policies(const gate::Face& face) {
  if (!server_) return;
  policies_.set(config_.domains, face, *tls_);
  server_->add(std::string(publish::kPolicyPath), policies_.resource());
}

base::Result<> GateHttps::renew(const gate::Face& face, const std::string& config_file) {
  auto config = load_gate_config(config_file);
  if (!config) return std::unexpected(config.error());
  auto context = load_https(config->https);
  if (!context) return std::unexpected(context.error());
  if (!*context)
    return base::fail("config.value", config_file + ": [gate.https] is gone, which takes a restart");
  policies_.set(std::move(config->domains), face, **context);
  server_->renew(std::move(**context));
  return {};
}

void GateHttps::reload(const gate::Face& face, const std::string& config_file) {
  if (!server_) return;
  policies_.renew(face);
  if (const auto done = renew(face, config_file); !done)
    base::log_error("https_not_reloaded", {{"reason", done.error().detail}});
}

io::Task<base::Result<boost::json::value>> GateHttps::answer(boost::json::object request) {
  if (!reports_) co_return base::fail("gate.data", "reports need a store: set gate.data, its folder");
  auto answered = co_await reports_->run(std::move(request));
  co_return answered;
}

io::Task<void> GateHttps::tend_daily() {
  io::Timer timer(loop_);
  bool elapsed = true;
  while (elapsed) {
    co_await inbound_->tend();
    elapsed = co_await timer.wait(std::chrono::days(1));
  }
}

}  // namespace pinnace::app
