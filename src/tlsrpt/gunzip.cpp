#include "tlsrpt/gunzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

namespace pinnace::tlsrpt {
namespace {

// Reports become 5 to 50 times smaller, DEFLATE's most is 1032. Below kAnyRatio it does not matter.
constexpr std::size_t kMostRatio = 300;
constexpr std::size_t kAnyRatio = 256 << 10;

struct Inflation {
  z_stream stream{};
  bool good = inflateInit2(&stream, MAX_WBITS + 16) == Z_OK;  // gzip's header and trailer
  Inflation() = default;
  Inflation(const Inflation&) = delete;
  ~Inflation() {
    if (good) inflateEnd(&stream);
  }
};

}  // namespace

bool is_gzip(std::string_view octets) { return octets.starts_with("\x1f\x8b"); }

base::Result<std::string> gunzip(std::string_view octets, std::size_t most) {
  Inflation inflation;
  z_stream& z = inflation.stream;
  if (!inflation.good) return base::fail("tlsrpt.gzip", "no memory to unpack it");
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
  z.avail_in = static_cast<uInt>(octets.size());
  std::string out;
  char buffer[16 << 10];
  bool whole = false;  // a member has ended here
  for (;;) {
    z.next_out = reinterpret_cast<Bytef*>(buffer);
    z.avail_out = sizeof buffer;
    const int done = inflate(&z, Z_NO_FLUSH);
    if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR) {
      if (whole) return out;
      return base::fail("tlsrpt.gzip", fmt::format("gzip is broken behind {} octets: {}",
                                                   octets.size() - z.avail_in, z.msg ? z.msg : "no gzip"));
    }
    const std::size_t got = sizeof buffer - z.avail_out;
    out.append(buffer, got);
    if (out.size() > most)
      return base::fail("tlsrpt.size", fmt::format("more than {} octets unpacked", most));
    if (out.size() > kAnyRatio && out.size() / kMostRatio > octets.size() - z.avail_in) {
      return base::fail("tlsrpt.size", fmt::format("{} octets of gzip hold more than {} times as many",
                                                   octets.size(), kMostRatio));
    }
    if (done == Z_STREAM_END) {
      whole = true;
      const std::string_view rest = octets.substr(octets.size() - z.avail_in);
      if (!is_gzip(rest)) return out;
      inflateReset(&z);
    } else if (got == 0 && (z.avail_in == 0 || done == Z_BUF_ERROR)) {
      if (whole) return out;
      return base::fail("tlsrpt.gzip", "gzip is cut off before its end");
    } else if (got > 0) {
      whole = false;
    }
  }
}

}  // namespace pinnace::tlsrpt
