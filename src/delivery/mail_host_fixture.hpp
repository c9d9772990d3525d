// For tests: a mail host that answers from a list over a real connection, and what is known of it.
#pragma once

#include <string>
#include <vector>

#include "io/stream.hpp"
#include "policy/decide.hpp"

namespace pinnace::delivery::fixture {

inline const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

// A server's replies, one for each line it reads; the first is the greeting. Then it closes. Each session
// is alike.
inline io::Task<void> serve(io::Listener& listener, std::vector<std::string> replies, std::string& heard,
                            int& sessions) {
  for (;;) {
    auto stream = co_await listener.accept();
    if (!stream) co_return;
    ++sessions;
    stream->set_idle_timeout(std::chrono::seconds(5));
    for (const std::string& reply : replies) {
      const auto sent = co_await stream->write_all(reply);
      if (!sent) break;
      char buffer[512];
      const auto n = co_await stream->read_some(buffer, sizeof buffer);
      if (!n || *n == 0) break;
      heard.append(buffer, *n);
    }
  }
}

inline policy::Facts facts(bool stsec) {
  policy::Facts out;
  out.domain = "x.test";
  out.host = out.host_name = "mx.x.test";
  out.now = kNow;
  if (stsec) out.stsec = pins::StsecRecord{"mx.x.test", kNow, kNow + std::chrono::hours(1)};
  return out;
}

}  // namespace pinnace::delivery::fixture
