#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "app/answer.hpp"
#include "app/check_output.hpp"

namespace pinnace::app {
namespace {

using check::Verdict;

constexpr std::size_t kLabel = 13;
constexpr std::size_t kIndent = 4 + kLabel;  // "  ✔ " and the label
constexpr std::size_t kLongest = 600;        // octets of a peer's in one line
constexpr std::size_t kWidest = 110;

struct Mark {
  std::string_view sign, colour, name;
};
Mark mark(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return {"✔", "32", "good"};
    case Verdict::note:
      return {"•", "36", "good"};
    case Verdict::warning:
      return {"▲", "33", "warning"};
    case Verdict::would_defer:
      return {"✘", "31", "would defer"};
    case Verdict::would_bounce:
      break;
  }
  return {"✘", "31", "would bounce"};
}

std::string tame(std::string_view text) {
  std::string out = printable(text.substr(0, kLongest));
  if (text.size() > kLongest) out += "…";
  return out;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// A domain of which there is but something to note is good.
Mark of_domain(Verdict verdict) { return mark(verdict == Verdict::note ? Verdict::good : verdict); }

// The table as it grows.
class Table {
 public:
  explicit Table(const TableStyle& style) : style_(style) {}

  void domain(const check::DomainReport& report);
  void totals(std::span<const check::DomainReport> reports);
  std::string take() { return std::move(out_); }

 private:
  std::string paint(std::string_view colour, std::string_view text) const {
    return style_.colour ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : std::string(text);
  }
  void line(const check::Line& line);
  void host(const check::HostReport& host);
  void wrapped(std::string_view text, std::size_t indent, std::string_view colour);

  TableStyle style_;
  std::string out_;
};

// Words of a text whose first line is begun already, at column `indent`.
void Table::wrapped(std::string_view text, std::size_t indent, std::string_view colour) {
  const std::size_t room = style_.width > indent + 30 ? style_.width - indent : 0;
  std::vector<std::string> lines(1);
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (room > 0 && !lines.back().empty() && columns(lines.back()) + 1 + columns(word) > room)
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    at = end + 1;
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out_ += std::string(indent, ' ');
    out_ += (colour.empty() ? lines[i] : paint(colour, lines[i])) + "\n";
  }
}

// A note is told in one go; what is to be done stands out.
void Table::line(const check::Line& line) {
  const Mark m = mark(line.verdict);
  out_ += fmt::format("  {} {:<{}}", paint(m.colour, m.sign), check::label(line.item), kLabel);
  if (line.verdict == Verdict::note) {
    wrapped(tame(line.text) + ". → " + tame(line.remedy), kIndent, "2");
    return;
  }
  wrapped(tame(line.text), kIndent, "");
  if (line.remedy.empty()) return;
  out_ += std::string(kIndent, ' ') + paint(m.colour, "→ ");
  wrapped(tame(line.remedy), kIndent + 2, "1");
}

bool same(const check::AddressReport& a, const check::AddressReport& b) {
  return std::equal(a.lines.begin(), a.lines.end(), b.lines.begin(), b.lines.end(),
                    [](const check::Line& x, const check::Line& y) {
                      return x.item == y.item && x.verdict == y.verdict && x.text == y.text &&
                             x.remedy == y.remedy;
                    });
}

// Addresses that showed the same are told of once.
void Table::host(const check::HostReport& host) {
  const auto heading = [&](const std::string& addresses) {
    out_ += fmt::format("\n  {}  {}\n", paint("1", tame(host.host)), tame(addresses));
  };
  if (host.addresses.empty()) heading("");
  for (std::size_t i = 0; i < host.addresses.size(); ++i) {
    const check::AddressReport& first = host.addresses[i];
    const auto begin = host.addresses.begin(), here = begin + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(begin, here, [&](const auto& a) { return same(a, first); })) continue;
    std::string addresses;
    for (const auto& a : host.addresses) {
      if (same(a, first)) addresses += (addresses.empty() ? "" : ", ") + a.address;
    }
    heading(addresses);
    for (const check::Line& l : first.lines) line(l);
  }
  for (const check::Line& l : host.lines) line(l);
}

void Table::domain(const check::DomainReport& report) {
  if (!out_.empty()) out_ += "\n";
  const Mark m = of_domain(report.verdict);
  const std::string strong = fmt::format("1;{}", m.colour);
  const std::string name = tame(report.domain);
  out_ += fmt::format("{} {}  {}: ", paint(strong, m.sign), paint("1", name), paint(strong, m.name));
  wrapped(tame(report.summary), 2, "");
  for (const check::Line& l : report.lines) line(l);
  for (const check::HostReport& h : report.hosts) host(h);
}

void Table::totals(std::span<const check::DomainReport> reports) {
  std::array<std::size_t, 5> count{};
  for (const auto& r : reports)
    ++count[static_cast<std::size_t>(r.verdict == Verdict::note ? Verdict::good : r.verdict)];
  std::string all;
  for (std::size_t i = count.size(); i-- > 0;) {
    if (count[i] == 0) continue;
    const Mark m = mark(static_cast<Verdict>(i));
    all += (all.empty() ? "" : ", ") + paint(m.colour, fmt::format("{} {}", count[i], m.name));
  }
  out_ += fmt::format("\n{} domains: {}\n", reports.size(), all);
}

}  // namespace

TableStyle terminal_style(bool no_color) {
  TableStyle out;
  if (isatty(STDOUT_FILENO) != 1) return out;
  winsize size{};
  out.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  out.width = std::min(out.width, kWidest);
  const char* unwanted = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term && std::string_view(term) == "dumb";
  out.colour = !no_color && !(unwanted && *unwanted) && !dumb;
  return out;
}

std::string check_table(std::span<const check::DomainReport> reports, const TableStyle& style) {
  Table table(style);
  for (const check::DomainReport& report : reports) table.domain(report);
  if (reports.size() > 1) table.totals(reports);
  return table.take();
}

}  // namespace pinnace::app
