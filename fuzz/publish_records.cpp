// What is published of a domain, whatever a configuration says: it is read back the same by those who read
// the records and policies of others, and no text gets out of its line. The input's lines: the domain, its MX
// hosts, an empty line, URIs for reports; the first octet and the last line's length choose the rest.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "dane/tlsa.hpp"
#include "names/txt_strings.hpp"
#include "publish/nsupdate.hpp"
#include "publish/policy.hpp"
#include "sts/served.hpp"
#include "sts/txt.hpp"
#include "tlsrpt/txt.hpp"

namespace {

using namespace pinnace;

void must(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::optional<publish::Settings> read(std::string_view text) {
  const unsigned choice = text.empty() ? 0 : static_cast<unsigned char>(text[0]);
  text.remove_prefix(std::min<std::size_t>(1, text.size()));
  const auto name = names::Domain::parse(take_line(text));
  if (!name) return std::nullopt;
  publish::Settings out;
  publish::Domain domain{*name, {}, std::nullopt};
  if (choice % 4 < 3) domain.sts = static_cast<sts::Mode>(choice % 4);
  domain.sts_pins = (choice & 4) != 0;
  domain.sts_max_age = base::Seconds(choice) * 1000;
  publish::Key key;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    auto mx = names::Domain::parse(line);
    if (!mx) continue;
    domain.mx.push_back(*mx);
    key.pin.sha256.fill(static_cast<std::uint8_t>(line.size()));
    if (!out.host(*mx)) out.hosts.push_back({*mx, {key}, {publish::Key{}}, {25, 465}});
  }
  while (!text.empty()) {
    if (auto uri = publish::escaped_uri(take_line(text))) domain.tlsrpt.push_back(std::move(*uri));
  }
  if (!publish::check(domain)) return std::nullopt;
  out.domains.push_back(std::move(domain));
  return out;
}

void look_at(const publish::Record& record) {
  const std::string line = publish::zone_line(record, base::Seconds(60));
  must(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
  if (record.type == publish::Record::Type::tlsa) {
    const auto tlsa = dane::Tlsa::parse_text(line);
    must(tlsa && dane::why_unusable(*tlsa).empty() && tlsa->str() == record.text);
  } else {
    must(names::joined_strings(publish::data(record)) == record.text);
  }
  must(names::Domain::parse(record.owner).has_value());
}

void look_at(const publish::Settings& settings, const publish::Domain& domain) {
  const auto policy = publish::policy_of(settings, domain);
  must(policy.has_value() == domain.sts.has_value());
  if (policy) {
    const auto served = sts::read_served(200, publish::kPolicyType, policy->text);
    must(served.policy && served.policy->mode == *domain.sts && served.policy->mx == policy->policy.mx &&
         served.policy->max_age == domain.sts_max_age && served.policy->pins == policy->policy.pins);
    const auto txt = sts::parse_txt(std::vector{publish::sts_record(domain, policy->id).text});
    must(txt.txt && txt.txt->id == policy->id);
    must(publish::PolicySite(settings).find(publish::policy_host(domain.name), publish::kPolicyPath) ==
         policy->text);
  }
  if (domain.tlsrpt.empty()) return;
  const auto txt = tlsrpt::parse_txt(std::vector{publish::tlsrpt_record(domain).text});
  must(txt.txt && txt.txt->rua == domain.tlsrpt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto settings = read({reinterpret_cast<const char*>(data), size});
  if (!settings) return 0;
  const auto all = publish::records(*settings);
  for (const auto& record : all) look_at(record);
  look_at(*settings, settings->domains[0]);
  const std::string script = publish::nsupdate(all, base::Seconds(60), publish::Step::add, {});
  for (std::string_view left = script; !left.empty();) {
    const std::string_view line = take_line(left);
    must(line.starts_with(';') || line.starts_with("update add ") || line.starts_with("update delete ") ||
         line == "send");
  }
  return 0;
}
