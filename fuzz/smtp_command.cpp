// A command line of anything: what is parsed is canonical (it parses again to the same), within its
// limits, and nothing in it could end a line or leave its brackets.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/command.hpp"

using namespace pinnace;

namespace {

void check(const base::Result<smtp::PathArgument>& parsed, bool recipient) {
  if (!parsed) return;
  const std::string& path = parsed->path;
  if (path.size() > 254 || path.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
    std::abort();
  if (path.empty() && recipient) std::abort();
  std::string again = (recipient ? "TO:<" : "FROM:<") + path + ">";
  for (const smtp::Parameter& p : parsed->parameters) {
    again += " " + p.keyword + (p.has_value ? "=" + p.value : "");
  }
  const auto twice = recipient ? smtp::parse_rcpt(again, "mx.test") : smtp::parse_mail(again);
  if (!twice || twice->path != path || (parsed->ascii && !twice->ascii) ||
      twice->parameters.size() != parsed->parameters.size()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const smtp::Command command = smtp::parse_command(line);
  if (command.argument.size() > line.size()) std::abort();
  check(smtp::parse_mail(command.argument), false);
  check(smtp::parse_rcpt(command.argument, "mx.test"), true);
  return 0;
}
