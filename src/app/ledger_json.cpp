#include "app/ledger_json.hpp"

#include <fmt/format.h>

#include "app/service_answer.hpp"
#include "base/base64.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

json::object promise_json(const pins::Promise& p, base::Time now) {
  json::array pins;
  for (const pins::Pin& pin : p.pins) pins.emplace_back(pin.str());
  json::object out;
  out["pins"] = std::move(pins);
  out["scope"] = pins::to_string(p.scope);
  out["mode"] = pins::to_string(p.mode);
  out["max_age"] = p.max_age.count();
  out["first_said"] = base::format_time(p.first_said);
  out["said_until"] = base::format_time(p.said_until);
  out["ends"] = base::format_time(p.ends());
  out["outstanding"] = p.outstanding(now);
  out["binds"] = p.binds(now);
  out["assumed"] = p.assumed;
  out["broken"] = p.broken;
  return out;
}

}  // namespace

json::object ledgers_json(const std::map<std::string, pins::Ledger>& ledgers, base::Time now) {
  json::array hosts;
  for (const auto& [hostname, ledger] : ledgers) {
    json::array promises;
    std::size_t outstanding = 0;
    for (const pins::Promise& p : ledger.promises()) {
      promises.push_back(promise_json(p, now));
      outstanding += p.outstanding(now) ? 1 : 0;
    }
    json::object one;
    one["hostname"] = hostname;
    one["outstanding"] = outstanding;
    one["ramp_step"] = ledger.step();
    one["promises"] = std::move(promises);
    one["record"] = base::base64_encode(ledger.encode());
    hosts.push_back(std::move(one));
  }
  return {{"hosts", std::move(hosts)}};
}

base::Result<std::map<std::string, pins::Ledger>> ledgers_from(const json::value& from) {
  std::map<std::string, pins::Ledger> out;
  for (const json::value& host : from.at("hosts").as_array()) {
    const auto record = base::base64_decode(std::string_view(host.at("record").as_string()));
    auto ledger = pins::Ledger::decode(record.value_or(""));
    if (!ledger) return std::unexpected(ledger.error());
    out.emplace(host.at("hostname").as_string().c_str(), std::move(*ledger));
  }
  return out;
}

void show_ledgers(const json::value& from) {
  for (const json::value& host : from.at("hosts").as_array()) {
    fmt::print("{}: {} outstanding\n", tamed(host, "hostname"),
               host.at("outstanding").to_number<std::size_t>());
    for (const json::value& p : host.at("promises").as_array()) {
      const std::string_view state = p.at("broken").as_bool()         ? "  BROKEN"
                                     : !p.at("outstanding").as_bool() ? "  over"
                                     : p.at("assumed").as_bool()      ? "  assumed"
                                                                      : "";
      fmt::print("  held until {}: MODE={} SCOPE={} MAX-AGE={}, said {} to {}{}\n", str(p, "ends"),
                 str(p, "mode"), str(p, "scope"),
                 base::format_duration(base::Seconds(p.at("max_age").as_int64())), str(p, "first_said"),
                 str(p, "said_until"), state);
      for (const json::value& pin : p.at("pins").as_array())
        fmt::print("    {}\n", std::string_view(pin.as_string()));
    }
  }
}

}  // namespace pinnace::app
