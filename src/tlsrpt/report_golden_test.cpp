// Reports as they were seen to be sent, and what is read in them: tests/vectors/tlsrpt, an input and a text
// each. PINNACE_WRITE_GOLDEN=1 writes the texts anew; read what changed before you commit.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tlsrpt/report.hpp"
#include "tlsrpt/report_mail.hpp"

namespace pinnace::tlsrpt {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string told(const std::string& delivered) {
  const auto json = report_json(delivered);
  if (!json) return "none: " + json.error().detail + "\n";
  const ReadReport read = read_report(*json);
  std::string out;
  if (read.report) {
    const Report& r = *read.report;
    out = fmt::format("{} <{}> {}\n{} to {}\n", r.organization, r.contact, r.id, base::format_time(r.begin),
                      base::format_time(r.end));
    for (const PolicyResult& p : r.policies) {
      out += fmt::format("{} {}: {} good, {} bad\n  mx {}\n  text {}\n", p.type, p.domain, p.succeeded,
                         p.failed, fmt::join(p.mx, " "), fmt::join(p.text, " / "));
      for (const Failure& f : p.failures) {
        out += fmt::format("  {} x {}: from {}, to {} ({}) {}, {} {}\n", f.sessions, f.result, f.sending_ip,
                           f.mx, f.helo, f.receiving_ip, f.reason, f.information);
      }
    }
  }
  for (const std::string& problem : read.problems) out += "problem: " + problem + "\n";
  return out;
}

TEST(Golden, ReportsAsTheyAreSent) {
  const std::filesystem::path folder = std::filesystem::path(PINNACE_SOURCE_DIR) / "tests/vectors/tlsrpt";
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::filesystem::path text = entry.path();
    if (text.extension() == ".txt") continue;
    ++seen;
    text.replace_extension(".txt");
    const std::string is = told(read_file(entry.path()));
    if (std::getenv("PINNACE_WRITE_GOLDEN")) std::ofstream(text, std::ios::binary) << is;
    EXPECT_EQ(read_file(text), is) << entry.path();
  }
  EXPECT_GE(seen, 7);
}

}  // namespace
}  // namespace pinnace::tlsrpt
