// An MTA-STS policy as a sender keeps it (RFC 8461 5): from when, under which id, until when.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "sts/policy.hpp"

namespace pinnace::sts {

struct Cached {
  std::string domain;  // policy domain
  std::string id;      // of the TXT record that it was fetched under
  std::string body;    // as it was served
  Policy policy;       // the body, parsed
  base::Time fetched{};
  base::Time refresh{};  // when it is fetched again before it expires

  base::Time expires() const { return fetched + policy.max_age; }  // RFC 8461 3.2
  bool live(base::Time now) const { return now < expires(); }

  std::string encode() const;  // docs/store-format.md
  // Error "sts.record".
  static base::Result<Cached> decode(std::string_view record);
};

}  // namespace pinnace::sts
