#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/offline_input.hpp"
#include "app/toml_section.hpp"
#include "pins/lint.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

json::value seconds_or_null(const std::optional<base::Seconds>& s) {
  return s ? json::value(s->count()) : json::value(nullptr);
}

// What a sender that knows nothing yet would make of the advert, given the session's keys.
struct Notable {
  bool noted = false;
  std::string why_not;
};

// Without a name the server is taken to be reached under one of its own.
std::vector<std::string> own_names(const tls::PeerChain& chain) {
  std::vector<std::string> names = chain.dns_names();
  for (std::string& name : names) {
    if (name.starts_with("*.")) name.replace(0, 1, "any");
  }
  return names;
}

base::Result<std::optional<Notable>> would_note(const LintRequest& request, const pins::Lint& found) {
  pins::Session session;
  session.tls_complete = session.clean_start = true;
  if (!request.chain.empty()) {
    auto chain = read_chain(request.chain);
    if (!chain) return std::unexpected(chain.error());
    auto roots = read_roots(request.roots);
    if (!roots) return std::unexpected(roots.error());
    session.chain = chain->pins();
    if (found.parsed.advert) {
      std::vector<pins::Pin> all;
      for (const auto& p : found.parsed.advert->pins) all.push_back(p.pin);
      const std::vector<std::string> names =
          request.name.empty() ? own_names(*chain) : std::vector{request.name};
      session.matching = tls::matching_pins(*chain, all, names, &*roots, base::SystemClock().now());
    }
  } else if (!request.spki.empty()) {
    for (const std::string& text : request.spki) {
      const auto pin = pins::Pin::parse(text);
      if (!pin) return base::fail("app.usage", "--spki " + text + " is not the base64 of 32 octets");
      session.chain.push_back(*pin);
    }
    session.matching = session.chain;
    std::erase_if(session.matching, [&](const pins::Pin& key) {
      const auto& advert = found.parsed.advert;
      return !advert || std::none_of(advert->pins.begin(), advert->pins.end(),
                                     [&](const auto& p) { return p.pin == key; });
    });
  } else {
    return std::optional<Notable>();
  }
  if (!found.parsed.advert)
    return std::optional(Notable{false, "the advert is invalid, and as a whole ignored"});
  if (found.parsed.advert->withdraws())
    return std::optional(Notable{false, "MAX-AGE=0 withdraws pins: there is nothing to note"});
  std::string why = pins::reason_not_to_note(*found.parsed.advert, session);
  return std::optional(Notable{why.empty(), why});
}

json::object lint_json(const pins::Lint& found, const std::optional<Notable>& notable) {
  json::object out;
  out["valid"] = found.valid;
  json::array list;
  json::object lifetimes;
  const auto& advert = found.parsed.advert;
  if (advert) {
    for (const auto& p : advert->pins) {
      list.emplace_back(p.pin.str());
      lifetimes[p.pin.str()] = advert->lifetime(p).count();
    }
  }
  out["pins"] = std::move(list);
  out["lifetimes"] = std::move(lifetimes);
  out["max_age"] = advert ? seconds_or_null(advert->max_age) : json::value(nullptr);
  out["scope"] = advert ? json::value(pins::to_string(advert->scope)) : json::value(nullptr);
  out["mode"] = advert ? json::value(pins::to_string(advert->mode)) : json::value(nullptr);
  out["rua"] = advert && !advert->rua.empty() ? json::value(advert->rua) : json::value(nullptr);
  out["stsec_max_age"] = found.stsec ? json::value(found.stsec->max_age.count()) : json::value(nullptr);
  json::array problems;
  for (const auto& p : found.problems) problems.emplace_back(p);
  out["problems"] = std::move(problems);
  if (notable) {
    out["noted"] = notable->noted;
    out["why_not"] = notable->noted ? json::value(nullptr) : json::value(notable->why_not);
  }
  return out;
}

void lint_text(const pins::Lint& found, const std::optional<Notable>& notable) {
  fmt::print("{}\n", found.valid ? "valid" : "INVALID: a sender ignores all of it");
  if (const auto& a = found.parsed.advert) {
    fmt::print("  scope {}, mode {}\n", pins::to_string(a->scope), pins::to_string(a->mode));
    for (const auto& p : a->pins)
      fmt::print("  {}  for {}\n", p.pin.str(), base::format_duration(a->lifetime(p)));
  }
  for (const auto& p : found.problems) fmt::print("  problem: {}\n", p);
  if (notable) {
    fmt::print("{}\n",
               notable->noted ? "a sender would note it" : "a sender would NOT note it: " + notable->why_not);
  }
}

}  // namespace

int lint_pkp(const LintRequest& request) {
  const auto text = read_file(request.file);
  if (!text) return usage(text.error().detail);
  const pins::Lint found = pins::lint(*text);
  const auto notable = would_note(request, found);
  if (!notable) return usage(notable.error().detail);
  if (request.json) {
    fmt::print("{}\n", json::serialize(lint_json(found, *notable)));
  } else {
    lint_text(found, *notable);
  }
  return found.valid ? 0 : 1;
}

int pins_advert(const AdvertRequest& request) {
  gate::AdvertSettings settings;
  for (const auto& [text, to, name] :
       {std::tuple{&request.max_age, &settings.max_age, "--max-age"},
        {&request.stsec_max_age, &settings.stsec_max_age, "--stsec-max-age"}}) {
    const auto duration = base::parse_duration(*text);
    if (!duration) return usage(fmt::format("{}: {}", name, duration.error().detail));
    *to = *duration;
  }
  settings.scope = request.scope == "DOMAIN" ? pins::Scope::domain : pins::Scope::host;
  settings.mode = request.mode == "REPORT" ? pins::Mode::report : pins::Mode::enforce;
  settings.rua = request.rua;
  const auto certificate = tls::OwnCertificate::load(request.certificate, request.key);
  if (!certificate) return usage(certificate.error().detail);
  const auto backup = tls::pin_of_file(request.backup_key);
  if (!backup) return usage(backup.error().detail);
  const auto names = certificate->chain().dns_names();
  const auto advert = gate::make_advert(
      settings, {names.empty() ? request.certificate : names.front(), {*certificate}, {*backup}});
  if (!advert) return usage(advert.error().detail);
  std::vector<std::string> lines = pins::ehlo_lines(*advert);
  if (settings.stsec_max_age > base::Seconds(0)) lines.push_back(pins::ehlo_line({settings.stsec_max_age}));
  if (request.json) {
    json::object out;
    json::array list;
    for (const auto& line : lines) list.emplace_back(line);
    out["ehlo_lines"] = std::move(list);
    out["pin"] = advert->pins[0].pin.str();
    out["backup_pin"] = advert->pins[1].pin.str();
    fmt::print("{}\n", json::serialize(out));
    return 0;
  }
  for (std::size_t i = 0; i < lines.size(); ++i)
    fmt::print("250{}{}\r\n", i + 1 < lines.size() ? '-' : ' ', lines[i]);
  return 0;
}

int check_config(const std::string& path, bool as_json) {
  auto file = TomlFile::load(path);
  base::Result<> result;
  std::string service = "relay";
  if (!file) {
    result = std::unexpected(file.error());
  } else if (file->has("gate")) {
    service = "gate";
    if (auto c = load_gate_config(path); !c) result = std::unexpected(c.error());
  } else if (file->has("policyd")) {
    service = "policyd";
    if (auto c = load_policyd_config(path, base::SystemClock().now()); !c)
      result = std::unexpected(c.error());
  } else if (auto c = load_relay_config(path, base::SystemClock().now()); !c) {
    result = std::unexpected(c.error());
  }
  if (as_json) {
    json::object out;
    out["ok"] = result.has_value();
    out["service"] = service;
    out["problems"] = result ? json::value(json::array()) : json::value({result.error().detail});
    fmt::print("{}\n", json::serialize(out));
  } else if (result) {
    fmt::print("{}: a good configuration of a {}\n", path, service);
  } else {
    std::fprintf(stderr, "%s\n", result.error().detail.c_str());
  }
  return result ? 0 : 1;
}

}  // namespace pinnace::app
