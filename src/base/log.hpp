// The logging front. One event is one line: time, level, event name, then fields
// as key=value with values quoted where they need it, so that nothing a peer sends
// can forge a line or a field. Thread-safe.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace pinnace::base {

enum class Level { debug, info, warning, error };

struct Field {
  std::string_view key;
  std::string value;
};

// What is below this level is not written. Default: info.
void set_log_level(Level level);
// Writes to this file instead of standard error (opened for append; false if it cannot be).
bool set_log_file(const std::string& path);

void log(Level level, std::string_view event, std::span<const Field> fields);
inline void log(Level level, std::string_view event, std::initializer_list<Field> f) {
  log(level, event, std::span<const Field>(f.begin(), f.size()));
}

inline void log_debug(std::string_view event, std::initializer_list<Field> f) { log(Level::debug, event, f); }
inline void log_info(std::string_view event, std::initializer_list<Field> f) { log(Level::info, event, f); }
inline void log_warning(std::string_view event, std::initializer_list<Field> f) {
  log(Level::warning, event, f);
}
inline void log_error(std::string_view event, std::initializer_list<Field> f) { log(Level::error, event, f); }

// The value as it stands in a log line: bare if it is plain, else quoted and escaped.
std::string quote_log_value(std::string_view value);

}  // namespace pinnace::base
