#include "process/open_files.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

namespace pinnace::process {

base::Result<> allow_open_files(std::uint64_t needed) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return {};
  const rlimit wanted{needed, std::max<rlim_t>(needed, limit.rlim_max)};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return {};
  const rlimit possible{std::min<rlim_t>(needed, limit.rlim_max), limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &possible);
  if (possible.rlim_cur >= needed) return {};
  return base::fail("process.files",
                    fmt::format("the settings may need {} open files, and {} are allowed: set LimitNOFILE={} "
                                "in the unit (or raise ulimit -n), or lower limits.max_sessions and "
                                "delivery.max_connections",
                                needed, possible.rlim_cur, needed));
}

}  // namespace pinnace::process
