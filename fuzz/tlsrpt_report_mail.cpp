// What is delivered as a report: found or not, and never more than it may be.
#include <cstdint>
#include <cstdlib>

#include "tlsrpt/report.hpp"
#include "tlsrpt/report_mail.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pinnace::tlsrpt;
  const auto json = report_json({reinterpret_cast<const char*>(data), size});
  if (!json && json.error().detail.empty()) std::abort();
  if (json && json->size() > (kMaxJson > size ? kMaxJson : size)) std::abort();
  return 0;
}
