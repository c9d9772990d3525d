// The logging front. One event is one line: time, level, event name, then fields, as logfmt or as a JSON
// object (log_line.hpp). For the journal, which keeps its own time, a line begins with its priority instead
// (sd-daemon(3)). Thread-safe; a line is written when log() returns, unless gather_log() says otherwise.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/log_line.hpp"

namespace pinnace::base {

enum class Level { debug, info, warning, error };
enum class LogFormat { logfmt, json };

// What is below this level is not written. Default: info.
void set_log_level(Level level);
// Of every later line. Default: logfmt.
void set_log_format(LogFormat format);
// Writes to this file instead of standard error (opened for append; false if it cannot be).
bool set_log_file(const std::string& path);
// Opens the file anew, by its name: the old one may have been moved away. Where that fails the old one is
// kept on, and false given. Without a file there is nothing to do.
bool reopen_log();
// Standard error is the journal's (systemd.exec(5), JOURNAL_STREAM), and no file is set.
bool logs_to_journal();

// From now on lines of a file below a warning wait, with those behind them, for flush_log(); `soon` is
// called, on the thread that logs, when the first does: it sees to the call. Null: no line waits any more.
void gather_log(std::function<void()> soon);
void flush_log();

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

}  // namespace pinnace::base
