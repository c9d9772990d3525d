// TXT records, one a line: what is taken is within the grammar's bounds, what is not says why.
#include <cstdint>
#include <cstdlib>

#include "tlsrpt/txt.hpp"
#include "tlsrpt/uri.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> records(1);
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      records.emplace_back();
    } else {
      records.back() += static_cast<char>(data[i]);
    }
  }
  const auto parsed = pinnace::tlsrpt::parse_txt(records);
  if (!parsed.txt && parsed.problems.empty()) std::abort();
  if (parsed.txt && parsed.txt->rua.empty()) std::abort();
  for (const std::string& uri : parsed.txt ? parsed.txt->rua : std::vector<std::string>{}) {
    using enum pinnace::tlsrpt::UriKind;
    const auto kind = pinnace::tlsrpt::uri_kind(uri);
    if ((kind != mailto && kind != https) || uri.find_first_of(",!; ") != std::string::npos) std::abort();
  }
  return 0;
}
