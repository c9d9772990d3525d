// Whatever is read of a report is bounded and can be shown: one line of UTF-8 without controls.
#include <cstdint>
#include <cstdlib>

#include "base/utf8.hpp"
#include "tlsrpt/report.hpp"

namespace {

void check(const std::string& text) {
  if (text.size() > 1000) std::abort();
  for (std::string_view left = text; !left.empty();) {
    const std::size_t size = pinnace::base::utf8_size(left);
    if (size == 0 || static_cast<unsigned char>(left[0]) < 0x20 || left[0] == 0x7f) std::abort();
    left.remove_prefix(size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pinnace::tlsrpt;
  const ReadReport read = read_report({reinterpret_cast<const char*>(data), size});
  if (read.problems.size() > 21 || (!read.report && read.problems.empty())) std::abort();
  if (!read.report) return 0;
  const Report& r = *read.report;
  if (r.id.empty() || r.organization.empty() || r.end < r.begin) std::abort();
  for (const std::string* text : {&r.id, &r.organization, &r.contact}) check(*text);
  for (const PolicyResult& p : r.policies) {
    check(p.type);
    check(p.domain);
    for (const auto* lines : {&p.text, &p.mx}) {
      for (const std::string& line : *lines) check(line);
    }
    for (const Failure& f : p.failures) {
      for (const std::string* text :
           {&f.result, &f.sending_ip, &f.mx, &f.helo, &f.receiving_ip, &f.information, &f.reason})
        check(*text);
    }
  }
  return 0;
}
