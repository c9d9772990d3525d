#include "base/log.hpp"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace pinnace::base {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

// sd-daemon(3): "<3>" to "<7>" before a line is its priority (syslog(3)).
class Priority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& to) override {
    const std::string_view priority = message.level >= spdlog::level::err    ? "<3>"
                                      : message.level == spdlog::level::warn ? "<4>"
                                      : message.level == spdlog::level::info ? "<6>"
                                                                             : "<7>";
    to.append(priority.data(), priority.data() + priority.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Priority>(); }
};

// The journal's stream is named "device:inode" (systemd.exec(5)); it is passed on to children that
// have another standard error.
bool stderr_is_journal() {
  const char* const name = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  return name && ::fstat(STDERR_FILENO, &info) == 0 && fmt::format("{}:{}", info.st_dev, info.st_ino) == name;
}

// One logger for good, whose sink changes under the sink's own lock: other threads may be writing.
struct Target {
  Target() : sink(std::make_shared<spdlog::sinks::dist_sink_mt>()), logger("pinnace", sink) {
    logger.flush_on(spdlog::level::trace);
    put(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
  void put(std::shared_ptr<spdlog::sinks::sink> to) {
    to->set_formatter(formatter());
    sink->set_sinks({std::move(to)});
  }
  std::unique_ptr<spdlog::formatter> formatter() const {
    std::string pattern = logs_to_journal() ? "%*" : "";
    const bool bare = logs_to_journal();
    if (json) {
      pattern += bare ? R"({"level":"%l",%v})" : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
    } else {
      pattern += bare ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
    }
    auto made = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    made->add_flag<Priority>('*').set_pattern(pattern);
    return made;
  }
  bool logs_to_journal() const { return file.empty() && journal; }

  const bool journal = stderr_is_journal();
  std::string file;
  std::atomic<bool> json = false;
  std::atomic<bool> gather = false;
  std::atomic<bool> waiting = false;  // lines, for flush_log()
  std::mutex mutex;                   // of soon
  std::function<void()> soon;
  std::shared_ptr<spdlog::sinks::dist_sink_mt> sink;
  spdlog::logger logger;
};

Target& target() {
  static Target instance;
  return instance;
}

}  // namespace

void set_log_level(Level level) { target().logger.set_level(to_spdlog(level)); }

void set_log_format(LogFormat format) {
  Target& t = target();
  t.json = format == LogFormat::json;
  t.sink->set_formatter(t.formatter());
}

bool set_log_file(const std::string& path) {
  try {
    auto opened = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    Target& t = target();
    t.file = path;
    t.put(std::move(opened));
    return true;
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
}

bool reopen_log() { return target().file.empty() || set_log_file(std::string(target().file)); }

bool logs_to_journal() { return target().logs_to_journal(); }

void gather_log(std::function<void()> soon) {
  Target& t = target();
  t.gather = static_cast<bool>(soon);
  t.logger.flush_on(soon ? spdlog::level::warn : spdlog::level::trace);
  {
    const std::lock_guard lock(t.mutex);
    t.soon = std::move(soon);
  }
  flush_log();
}

void flush_log() {
  target().waiting = false;
  target().sink->flush();
}

void log(Level level, std::string_view event, std::span<const Field> fields) {
  Target& t = target();
  if (!t.logger.should_log(to_spdlog(level))) return;
  const std::string line = t.json ? json_members(event, fields) : logfmt_line(event, fields);
  t.logger.log(to_spdlog(level), spdlog::string_view_t(line));
  if (!t.gather || level >= Level::warning || t.waiting.exchange(true)) return;
  const std::lock_guard lock(t.mutex);
  if (t.soon) t.soon();
}

}  // namespace pinnace::base
