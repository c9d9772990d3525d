#include "base/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>

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

void prepare(spdlog::logger& logger) {
  logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger.flush_on(spdlog::level::warn);
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made =
        std::make_shared<spdlog::logger>("pinnace", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    prepare(*made);
    return made;
  }();
  return instance;
}

}  // namespace

void set_log_level(Level level) { logger()->set_level(to_spdlog(level)); }

bool set_log_file(const std::string& path) {
  try {
    auto made = std::make_shared<spdlog::logger>("pinnace",
                                                 std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
    made->set_level(logger()->level());
    prepare(*made);
    spdlog::drop("pinnace");  // one set before
    spdlog::register_logger(made);
    spdlog::flush_every(std::chrono::seconds(1));
    logger() = std::move(made);
    return true;
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
}

std::string quote_log_value(std::string_view value) {
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) return std::string(value);
  std::string out = "\"";
  unsigned char before = 0;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    // C1 controls as well, which are C2 80 to C2 9F in UTF-8: U+0085 ends a line for some readers.
    const bool c1 = before == 0xc2 && byte >= 0x80 && byte < 0xa0;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f || c1) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
    before = byte;
  }
  return out += '"';
}

void log(Level level, std::string_view event, std::span<const Field> fields) {
  spdlog::logger& target = *logger();
  if (!target.should_log(to_spdlog(level))) return;
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += quote_log_value(field.value);
  }
  target.log(to_spdlog(level), spdlog::string_view_t(line));
}

}  // namespace pinnace::base
