#include "sts/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "names/mail_address.hpp"
#include "pins/advert.hpp"

namespace pinnace::sts {
namespace {

constexpr std::size_t kMaxPatterns = 1000;

// sts-policy-ext-value: UTF-8 without control characters.
bool is_value(std::string_view s) {
  return !s.empty() && names::is_utf8(s) && std::all_of(s.begin(), s.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
}

std::optional<Mode> mode_of(std::string_view value) {
  for (const Mode mode : {Mode::enforce, Mode::testing, Mode::none}) {
    if (value == to_string(mode)) return mode;
  }
  return std::nullopt;
}

std::optional<base::Seconds> age_of(std::string_view value) {
  std::int64_t seconds = 0;
  const bool digits = !value.empty() && value.size() <= 10 &&
                      std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return std::nullopt;
  std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (base::Seconds(seconds) > kMaxAge) return std::nullopt;
  return base::Seconds(seconds);
}

class Reader {
 public:
  void line(std::string_view text, std::size_t number);
  ParsedPolicy take();

 private:
  void problem(std::string what) { out_.problems.push_back("RFC 8461 3.2: " + std::move(what)); }
  void broken(std::string what) {
    good_ = false;
    problem(std::move(what));
  }
  // A field that may stand once stands there again.
  void again(std::string_view name) {
    problem(fmt::format("{} occurs more than once: all but the first are ignored", name));
  }
  void field(std::string_view name, std::string_view value);
  void add_mx(std::string_view value);
  void add_pin(std::string_view value);

  Policy policy_;
  ParsedPolicy out_;
  bool good_ = true;
  bool version_ = false, mode_ = false, max_age_ = false;  // seen
};

void Reader::line(std::string_view text, std::size_t number) {
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  if (number == 1 && text.starts_with("\xef\xbb\xbf")) return broken("a byte order mark is in front");
  if (text.empty()) return broken(fmt::format("line {} is empty", number));
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (colon == std::string_view::npos || !names::is_field_name(name)) {
    return broken(fmt::format("line {}: \"name: value\" is expected", number));
  }
  std::string_view value = text.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  field(name, value);
}

void Reader::field(std::string_view name, std::string_view value) {
  if (name == "version" && !std::exchange(version_, true)) {
    if (value != "STSv1") broken("version is STSv1");
  } else if (name == "mode" && !std::exchange(mode_, true)) {
    const auto mode = mode_of(value);
    if (!mode) return broken("mode is enforce, testing or none");
    policy_.mode = *mode;
  } else if (name == "max_age" && !std::exchange(max_age_, true)) {
    const auto age = age_of(value);
    if (!age) return broken(fmt::format("max_age is a number of seconds from 0 to {}", kMaxAge.count()));
    policy_.max_age = *age;
  } else if (name == "mx") {
    add_mx(value);
  } else if (!is_value(value)) {
    broken(fmt::format("the value of {} is empty, is not UTF-8, or has a control character", name));
  } else if (name == "pin-sha256") {
    add_pin(value);
  } else if (name == "version" || name == "mode" || name == "max_age" ||
             !names::add_first(policy_.extensions, {std::string(name), std::string(value)})) {
    again(name);  // whatever it says, as long as it is a field
  }
}

void Reader::add_mx(std::string_view value) {
  auto pattern = names::MxPattern::parse(value);
  if (!pattern) return broken("mx is a host's name in A-labels, or one behind '*.'");
  if (policy_.mx.size() == kMaxPatterns) return broken(fmt::format("more than {} mx fields", kMaxPatterns));
  policy_.mx.push_back(std::move(*pattern));
}

void Reader::add_pin(std::string_view value) {
  // An extension is never a reason to drop the policy.
  const auto pin = pins::Pin::parse(value);
  if (!pin || policy_.pins.size() == pins::kMaxPins) {
    out_.problems.emplace_back(
        "pinning-protocol 4.3: a pin is the base64 of 32 octets, at most 32 of them: ignored");
    return;
  }
  policy_.pins.push_back(*pin);
}

ParsedPolicy Reader::take() {
  if (!version_) broken("version is missing");
  if (!mode_) broken("mode is missing");
  if (!max_age_) broken("max_age is missing");
  if (policy_.mx.empty() && policy_.mode != Mode::none) broken("mx is missing, and mode is not none");
  if (good_) out_.policy = std::move(policy_);
  return std::move(out_);
}

}  // namespace

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::enforce:
      return "enforce";
    case Mode::testing:
      return "testing";
    case Mode::none:
      break;
  }
  return "none";
}

bool Policy::lists(std::string_view host) const {
  return std::any_of(mx.begin(), mx.end(), [host](const auto& pattern) { return pattern.matches(host); });
}

ParsedPolicy parse_policy(std::string_view body) {
  if (body.size() > kMaxBody) return {std::nullopt, {"RFC 8461 3.3: the policy has more than 64 KiB"}};
  Reader reader;
  std::size_t number = 0;
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    std::string_view line = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    reader.line(line, ++number);
  }
  return reader.take();
}

}  // namespace pinnace::sts
