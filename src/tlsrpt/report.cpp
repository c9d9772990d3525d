#include "tlsrpt/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "base/utf8.hpp"

namespace pinnace::tlsrpt {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxMemory = 64 << 20;  // octets, of all values of a report
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxName = 255;  // octets of a name or an identifier
constexpr std::size_t kMaxText = 1000;
constexpr std::size_t kMaxLines = 100;  // of a policy's text
constexpr std::size_t kMaxProblems = 20;

// A few octets of JSON are many in memory. Boost.JSON asks for no alignment beyond that of any new, and does
// not always give back with the one it asked for.
class BoundedMemory final : public json::memory_resource {
  void* do_allocate(std::size_t size, std::size_t) override {
    if (size > kMaxMemory - taken_) throw std::bad_alloc();
    void* got = ::operator new(size);
    taken_ += size;
    return got;
  }
  void do_deallocate(void* at, std::size_t size, std::size_t) override {
    ::operator delete(at);
    taken_ -= size;
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override { return this == &other; }

  std::size_t taken_ = 0;
};

// U+202A to U+202E and U+2066 to U+2069 turn the direction of what stands behind them.
bool turns_direction(std::string_view character) {
  if (character.size() != 3 || character[0] != '\xe2') return false;
  const auto last = static_cast<unsigned char>(character[2]);
  return (character[1] == '\x80' && last >= 0xaa && last <= 0xae) ||
         (character[1] == '\x81' && last >= 0xa6 && last <= 0xa9);
}

std::string one_line(std::string_view text, std::size_t most) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = std::max<std::size_t>(base::utf8_size(text), 1);
    std::string_view character = text.substr(0, size);
    const auto first = static_cast<unsigned char>(character[0]);
    const bool control =
        first < 0x20 || first == 0x7f || (first == 0xc2 && size == 2 && character[1] < '\xa0');
    text.remove_prefix(size);
    if (control || (first >= 0x80 && size == 1) || turns_direction(character)) character = "?";
    if (out.size() + character.size() > most) break;
    out += character;
  }
  return out;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Some write "failure_details", some "Failure-Details".
const json::value* find(const json::object& object, std::string_view name) {
  if (const auto* found = object.if_contains(name)) return found;
  for (const auto& [key, value] : object) {
    if (key.size() != name.size()) continue;
    std::string known = lower(std::string(key));
    std::replace(known.begin(), known.end(), '_', '-');
    if (known == name) return &value;
  }
  return nullptr;
}

class Reader {
 public:
  ReadReport read(const json::value& value) {
    if (!value.is_object()) return no_report("a JSON object is expected");
    const json::object& object = value.as_object();
    if (!read_range(object)) return std::move(out_);
    Report& r = *out_.report;
    r.organization = text(object, "organization-name", kMaxName);
    r.contact = text(object, "contact-info", kMaxName);
    r.id = text(object, "report-id", kMaxName);
    if (r.organization.empty()) {
      problem("organization-name: is not said");
      r.organization = r.contact.substr(r.contact.rfind('@') + 1);
      if (r.organization.empty()) r.organization = "(not said)";
    }
    if (r.id.empty()) {
      problem("report-id: is not said; the first day stands for it");
      r.id = base::format_time(r.begin);
    }
    read_policies(object);
    return std::move(out_);
  }

  static ReadReport no_report(std::string why) {
    ReadReport out;
    out.problems.push_back(std::move(why));
    return out;
  }

 private:
  void problem(std::string what) {
    if (out_.problems.size() < kMaxProblems) out_.problems.push_back(std::move(what));
  }

  // Only its date cannot be done without: it says where all the rest belongs.
  bool read_range(const json::object& object) {
    const auto* found = find(object, "date-range");
    const json::object* range = found ? found->if_object() : nullptr;
    const auto begin = range ? time(*range, "start-datetime") : std::nullopt;
    const auto end = range ? time(*range, "end-datetime") : std::nullopt;
    if (!begin && !end) {
      out_.problems.insert(out_.problems.begin(), "date-range: neither its start nor its end is a date");
      return false;
    }
    Report report;
    report.begin = begin ? *begin : *end - std::chrono::days(1);
    report.end = end ? *end : *begin + std::chrono::days(1);
    if (report.end < report.begin || report.end - report.begin > std::chrono::days(400)) {
      problem("date-range: its end is before its start, or years behind it; taken as a day");
      report.end = report.begin + std::chrono::days(1);
    }
    out_.report = std::move(report);
    return true;
  }

  // RFC 3339; but some leave out the zone, the time of day, or write the seconds since 1970.
  std::optional<base::Time> time(const json::object& object, std::string_view name) {
    std::string said = text(object, name, kMaxName);
    if (said.size() == 10 && said[4] == '-') said += "T00:00:00Z";
    auto parsed = base::parse_time(said);
    if (!parsed) parsed = base::parse_time(said + "Z");
    if (parsed && *parsed >= base::Time() && *parsed < base::Time(std::chrono::days(365 * 230)))
      return *parsed;
    problem(fmt::format("date-range.{}: '{}' is no date of RFC 3339", name, said.substr(0, 40)));
    return std::nullopt;
  }

  void read_policies(const json::object& object) {
    const auto* found = find(object, "policies");
    if (!found) found = find(object, "policy");
    std::size_t index = 0;
    each(found, "policies", kMaxPolicies, [&](const json::value& value) {
      const std::string place = fmt::format("policies[{}]", index++);
      if (!value.is_object()) return problem(place + ": an object is expected");
      read_policy(value.as_object(), place);
    });
    if (index == 0) problem("policies: there are none");
  }

  void read_policy(const json::object& object, const std::string& place) {
    const auto* nested = find(object, "policy");
    const json::object& policy = nested && nested->is_object() ? nested->as_object() : object;
    PolicyResult p;
    p.type = lower(text(policy, "policy-type", kMaxName));
    if (p.type.empty()) {
      problem(place + ".policy.policy-type: is not said");
      p.type = "no-policy-found";
    }
    p.domain = domain(text(policy, "policy-domain", kMaxName));
    p.text = lines(find(policy, "policy-string"));
    p.mx = lines(find(policy, "mx-host"));
    if (p.mx.empty()) p.mx = lines(find(policy, "mx-host-pattern"));
    const auto* sums = find(object, "summary");
    const json::object& summary = sums && sums->is_object() ? sums->as_object() : object;
    p.succeeded = count(summary, "total-successful-session-count", place + ".summary");
    p.failed = count(summary, "total-failure-session-count", place + ".summary");
    std::size_t index = 0;
    each(find(object, "failure-details"), place + ".failure-details", kMaxFailures,
         [&](const json::value& v) {
           const std::string at = fmt::format("{}.failure-details[{}]", place, index++);
           if (!v.is_object()) return problem(at + ": an object is expected");
           if (failures_ >= kMaxFailures) return problem(fmt::format("{}: more than {}", at, kMaxFailures));
           ++failures_;
           p.failures.push_back(failure(v.as_object(), at));
         });
    out_.report->policies.push_back(std::move(p));
  }

  Failure failure(const json::object& object, const std::string& place) {
    Failure f;
    f.result = lower(text(object, "result-type", kMaxName));
    if (f.result.empty()) {
      problem(place + ".result-type: is not said");
      f.result = "validation-failure";
    }
    f.sending_ip = text(object, "sending-mta-ip", kMaxName);
    f.mx = domain(text(object, "receiving-mx-hostname", kMaxName));
    f.helo = text(object, "receiving-mx-helo", kMaxName);
    f.receiving_ip = text(object, "receiving-ip", kMaxName);
    f.sessions = count(object, "failed-session-count", place);
    f.information = text(object, "additional-information", kMaxText);
    // The name that the value has in the schema.
    if (f.information.empty()) f.information = text(object, "additional-info-uri", kMaxText);
    f.reason = text(object, "failure-reason-code", kMaxText);
    return f;
  }

  // An array, or one that stands for an array of one.
  template <class Take>
  void each(const json::value* value, const std::string& place, std::size_t most, Take take) {
    if (!value || value->is_null()) return;
    if (!value->is_array()) return take(*value);
    std::size_t taken = 0;
    for (const json::value& element : value->as_array()) {
      if (taken++ == most)
        return problem(fmt::format("{}: more than {}; the others are left out", place, most));
      take(element);
    }
  }

  static std::string text(const json::object& object, std::string_view name, std::size_t most) {
    const auto* value = find(object, name);
    if (!value || value->is_null()) return {};
    if (value->is_string()) return one_line(std::string_view(value->as_string()), most);
    return one_line(json::serialize(*value), most);
  }

  // Some write the array's lines as one text.
  static std::vector<std::string> lines(const json::value* value) {
    std::vector<std::string> out;
    const auto add = [&](std::string_view many) {
      while (!many.empty() && out.size() < kMaxLines) {
        const std::size_t end = std::min(many.find('\n'), many.size());
        std::string_view line = many.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.empty()) out.push_back(one_line(line, kMaxText));
        many.remove_prefix(std::min(end + 1, many.size()));
      }
    };
    if (value && value->is_string()) add(std::string_view(value->as_string()));
    if (value && value->is_array()) {
      for (const json::value& element : value->as_array()) {
        if (element.is_string()) add(std::string_view(element.as_string()));
      }
    }
    return out;
  }

  static std::string domain(std::string said) {
    if (said.ends_with('.')) said.pop_back();
    return lower(std::move(said));
  }

  std::uint64_t count(const json::object& object, std::string_view name, const std::string& place) {
    constexpr double kMost = 1e15;  // sums of many stay exact
    const auto* value = find(object, name);
    if (!value || value->is_null()) {
      problem(fmt::format("{}.{}: is not said; taken as 0", place, name));
      return 0;
    }
    double number = -1;
    if (value->is_number()) number = value->to_number<double>();
    if (value->is_string()) {
      // As a number is written in JSON, so no "inf".
      boost::system::error_code error;
      const json::value inner = json::parse(value->as_string(), error);
      if (!error && inner.is_number()) number = inner.to_number<double>();
    }
    if (number >= 0 && number <= kMost) return static_cast<std::uint64_t>(std::llround(number));
    problem(
        fmt::format("{}.{}: {} is no count; taken as 0", place, name, one_line(json::serialize(*value), 40)));
    return 0;
  }

  ReadReport out_;
  std::size_t failures_ = 0;
};

}  // namespace

ReadReport read_report(std::string_view text) {
  if (text.size() > kMaxJson) return Reader::no_report(fmt::format("more than {} octets of JSON", kMaxJson));
  if (text.starts_with("\xef\xbb\xbf"))
    text.remove_prefix(3);  // a mark of the encoding, which RFC 8259 forbids
  json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = true;  // one_line() sees to it
  BoundedMemory memory;
  try {
    json::parser parser(&memory, options);
    parser.reset(&memory);
    boost::system::error_code error;
    const std::size_t taken = parser.write(text.data(), text.size(), error);
    if (error) return Reader::no_report(fmt::format("no JSON: at octet {}: {}", taken, error.message()));
    return Reader().read(parser.release());
  } catch (const std::bad_alloc&) {
    return Reader::no_report("the JSON has more values than a report may have");
  }
}

}  // namespace pinnace::tlsrpt
