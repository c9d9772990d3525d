// A strict reader of one TOML file: every error names file, line, key and what was
// expected, and a key that nobody asked for is an error too.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace pinnace::app {

class TomlFile;

class TomlSection {
 public:
  bool exists() const { return table_ != nullptr; }

  std::string text(const std::string& key, std::string fallback);
  std::string required_text(const std::string& key);
  std::vector<std::string> texts(const std::string& key, bool required);
  std::vector<std::string> one_or_more(const std::string& key);  // a text alone, or a list of them
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t least, std::int64_t most);
  bool flag(const std::string& key, bool fallback);
  double number(const std::string& key, double fallback, double least, double most);
  base::Seconds duration(const std::string& key, base::Seconds fallback);
  // A date (to the end of that day, UTC), or a date and time with its offset; bare or in quotes.
  std::optional<base::Time> time(const std::string& key);
  // The index of one of `choices`.
  std::size_t choice(const std::string& key, const std::vector<std::string>& choices, std::size_t fallback);
  // An array of tables ([[dns.stub]], or inline).
  std::vector<TomlSection> sections(const std::string& key);

  bool has(const std::string& key);
  // Reports a value that was read well but means nothing; of the section itself where `key` is empty.
  void problem(const std::string& key, const std::string& what);

 private:
  friend class TomlFile;
  TomlSection(TomlFile& file, const void* table, std::string name);
  const void* find(const std::string& key);  // the node, noted as asked for
  void expected(const std::string& key, const std::string& what);
  std::string path(const std::string& key) const;  // "gate.advert.rua"

  TomlFile* file_;
  const void* table_;  // toml::table; the header stays free of toml++
  std::string name_;
};

class TomlFile {
 public:
  // Errors: "config.read", "config.syntax".
  static base::Result<TomlFile> load(const std::string& path);
  static base::Result<TomlFile> nothing();  // where there is no file: every setting is its default
  TomlFile(TomlFile&&) noexcept;
  ~TomlFile();

  TomlSection section(const std::string& name);  // "gate.advert"; "": the whole file
  bool has(const std::string& name) const;
  // All that was wrong, one a line: also sections and keys that nobody asked for.
  base::Result<> finish();

 private:
  friend class TomlSection;
  struct Impl;
  explicit TomlFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pinnace::app
