#include "app/toml_section.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace pinnace::app {

struct TomlFile::Impl {
  std::string path;
  toml::table root;
  std::vector<std::string> errors;
  // Which keys of which table were asked for.
  std::map<const toml::table*, std::set<std::string>> asked;

  void error(const toml::node* at, const std::string& what) {
    const auto line = at ? at->source().begin.line : 0;
    errors.push_back(line > 0 ? fmt::format("{}:{}: {}", path, line, what)
                              : fmt::format("{}: {}", path, what));
  }
};

namespace {

constexpr std::size_t kMostOctets = 16 << 20;

const toml::table* table_of(const void* p) { return static_cast<const toml::table*>(p); }
const toml::node* node_of(const void* p) { return static_cast<const toml::node*>(p); }

std::string shown(const toml::node& node) {
  if (const auto* s = node.as_string()) return "'" + s->get() + "'";
  std::ostringstream out;
  node.visit([&out](const auto& n) { out << n; });
  return out.str();
}

}  // namespace

TomlFile::TomlFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TomlFile::TomlFile(TomlFile&&) noexcept = default;
TomlFile::~TomlFile() = default;

base::Result<TomlFile> TomlFile::nothing() {
  auto impl = std::make_unique<Impl>();
  impl->path = "without a configuration";
  return TomlFile(std::move(impl));
}

base::Result<TomlFile> TomlFile::load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  char block[4096];
  // read(), not an iterator, which throws where a directory stands or the disk fails.
  while (text.size() <= kMostOctets && (in.read(block, sizeof block) || in.gcount() > 0))
    text.append(block, static_cast<std::size_t>(in.gcount()));
  if (!in.is_open() || in.bad()) {
    return base::fail("config.read",
                      fmt::format("{}: cannot be read: does it exist, and may this user read it?", path));
  }
  if (text.size() > kMostOctets)
    return base::fail("config.read", fmt::format("{}: has more than {} octets", path, kMostOctets));
  toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    return base::fail("config.syntax",
                      fmt::format("{}:{}: no TOML: {}", path, parsed.error().source().begin.line,
                                  parsed.error().description()));
  }
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->root = std::move(parsed).table();
  return TomlFile(std::move(impl));
}

bool TomlFile::has(const std::string& name) const { return impl_->root.contains(name); }

TomlSection TomlFile::section(const std::string& name) {
  const toml::table* at = &impl_->root;
  std::string left = name;
  while (at && !left.empty()) {
    const std::size_t dot = left.find('.');
    const std::string key = left.substr(0, dot);
    left = dot == std::string::npos ? "" : left.substr(dot + 1);
    impl_->asked[at].insert(key);
    const toml::node* node = at->get(key);
    if (node && !node->is_table()) {
      impl_->error(node, fmt::format("{}: a section [{}] is expected", key, name));
      node = nullptr;
    }
    at = node ? node->as_table() : nullptr;
  }
  if (at) impl_->asked[at];
  return TomlSection(*this, at, name);
}

base::Result<> TomlFile::finish() {
  impl_->asked[&impl_->root];
  for (const auto& [table, keys] : impl_->asked) {
    for (const auto& [key, node] : *table) {
      if (keys.contains(std::string(key.str()))) continue;
      std::string known;
      for (const auto& k : keys) known += (known.empty() ? "" : ", ") + k;
      impl_->error(&node, fmt::format("{} is not known here; known are: {}", key.str(), known));
    }
  }
  if (impl_->errors.empty()) return {};
  std::string all;
  for (const auto& e : impl_->errors) all += (all.empty() ? "" : "\n") + e;
  return base::fail("config.value", all);
}

TomlSection::TomlSection(TomlFile& file, const void* table, std::string name)
    : file_(&file), table_(table), name_(std::move(name)) {}

const void* TomlSection::find(const std::string& key) {
  if (!table_) return nullptr;
  file_->impl_->asked[table_of(table_)].insert(key);
  return table_of(table_)->get(key);
}

void TomlSection::expected(const std::string& key, const std::string& what) {
  const toml::node* node = node_of(find(key));
  if (node) {
    file_->impl_->error(node, fmt::format("{} = {}: {} is expected", path(key), shown(*node), what));
  } else {
    file_->impl_->error(table_of(table_), fmt::format("{} is missing: {} is expected", path(key), what));
  }
}

std::string TomlSection::path(const std::string& key) const {
  return name_.empty() || key.empty() ? name_ + key : name_ + "." + key;
}

bool TomlSection::has(const std::string& key) { return find(key) != nullptr; }

void TomlSection::problem(const std::string& key, const std::string& what) {
  const toml::node* at = key.empty() ? table_of(table_) : node_of(find(key));
  file_->impl_->error(at ? at : table_of(table_), fmt::format("{}: {}", path(key), what));
}

std::string TomlSection::text(const std::string& key, std::string fallback) {
  const toml::node* node = node_of(find(key));
  if (!node) return fallback;
  if (const auto* s = node->as_string()) return s->get();
  expected(key, "a text in quotes");
  return fallback;
}

std::string TomlSection::required_text(const std::string& key) {
  const toml::node* node = node_of(find(key));
  if (!node || !node->is_string() || node->as_string()->get().empty()) expected(key, "a text in quotes");
  return text(key, "");
}

std::vector<std::string> TomlSection::texts(const std::string& key, bool required) {
  const toml::node* node = node_of(find(key));
  std::vector<std::string> out;
  const toml::array* array = node ? node->as_array() : nullptr;
  if ((node && !array) || (!node && required)) expected(key, "a list of texts, as [\"a\", \"b\"]");
  if (!array) return out;
  for (const auto& item : *array) {
    if (const auto* s = item.as_string()) {
      out.push_back(s->get());
    } else {
      expected(key, "a list of texts, as [\"a\", \"b\"]");
      break;
    }
  }
  if (out.empty() && required) expected(key, "at least one");
  return out;
}

std::vector<std::string> TomlSection::one_or_more(const std::string& key) {
  const toml::node* node = node_of(find(key));
  if (node && node->is_string()) return {node->as_string()->get()};
  return texts(key, true);
}

std::int64_t TomlSection::integer(const std::string& key, std::int64_t fallback, std::int64_t least,
                                  std::int64_t most) {
  const toml::node* node = node_of(find(key));
  if (!node) return fallback;
  const auto* n = node->as_integer();
  if (n && n->get() >= least && n->get() <= most) return n->get();
  expected(key, fmt::format("a whole number from {} to {}", least, most));
  return fallback;
}

bool TomlSection::flag(const std::string& key, bool fallback) {
  const toml::node* node = node_of(find(key));
  if (!node) return fallback;
  if (const auto* b = node->as_boolean()) return b->get();
  expected(key, "true or false");
  return fallback;
}

double TomlSection::number(const std::string& key, double fallback, double least, double most) {
  const toml::node* node = node_of(find(key));
  if (!node) return fallback;
  const auto n = node->value<double>();
  if (n && *n >= least && *n <= most) return *n;
  expected(key, fmt::format("a number from {} to {}", least, most));
  return fallback;
}

base::Seconds TomlSection::duration(const std::string& key, base::Seconds fallback) {
  const toml::node* node = node_of(find(key));
  if (!node) return fallback;
  if (const auto* s = node->as_string()) {
    if (const auto d = base::parse_duration(s->get())) return *d;
  }
  expected(key, "a duration, as \"45s\", \"1h30m\" or \"5d\"");
  return fallback;
}

namespace {

base::Time start_of(const toml::date& d) {
  return std::chrono::sys_days(std::chrono::year(d.year) / std::chrono::month(d.month) /
                               std::chrono::day(d.day));
}

}  // namespace

std::optional<base::Time> TomlSection::time(const std::string& key) {
  const toml::node* node = node_of(find(key));
  if (!node) return std::nullopt;
  if (const auto* date = node->as_date()) return start_of(date->get()) + std::chrono::days(1);
  if (const auto* both = node->as_date_time(); both && both->get().offset) {
    const toml::date_time& t = both->get();
    return start_of(t.date) + std::chrono::hours(t.time.hour) +
           std::chrono::minutes(t.time.minute - t.offset->minutes) + base::Seconds(t.time.second);
  }
  if (const auto* s = node->as_string()) {
    if (const auto whole = base::parse_time(s->get())) return *whole;
    if (const auto day = base::parse_time(s->get() + "T00:00:00Z")) return *day + std::chrono::days(1);
  }
  expected(key, "a date as 2027-01-31, or a time as 2027-01-31T12:00:00Z,");
  return std::nullopt;
}

std::size_t TomlSection::choice(const std::string& key, const std::vector<std::string>& choices,
                                std::size_t fallback) {
  const toml::node* node = node_of(find(key));
  if (!node) return fallback;
  std::string all;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (node->is_string() && node->as_string()->get() == choices[i]) return i;
    all += (i ? ", \"" : "\"") + choices[i] + "\"";
  }
  expected(key, "one of " + all);
  return fallback;
}

std::vector<TomlSection> TomlSection::sections(const std::string& key) {
  const toml::node* node = node_of(find(key));
  std::vector<TomlSection> out;
  if (!node) return out;
  const toml::array* array = node->as_array();
  for (std::size_t i = 0; array && i < array->size(); ++i) {
    const toml::table* table = array->get(i)->as_table();
    if (!table) break;
    file_->impl_->asked[table];
    out.push_back(TomlSection(*file_, table, fmt::format("{}[{}]", path(key), i)));
  }
  if (!array || out.size() != array->size()) expected(key, "a list of tables, as [[" + path(key) + "]]");
  return out;
}

}  // namespace pinnace::app
