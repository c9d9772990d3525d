// What Postfix was told about a next hop, as it is kept (docs/store-format.md): what a restart serves from,
// and what holds on while the DNS is broken.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace pinnace::policyd {

struct Told {
  struct Reply {
    std::string map;
    std::string text;                // as the protocol has it: "OK secure ...", "NOTFOUND ", "TEMP why"
    std::string reason;              // for people
    std::vector<std::string> notes;  // for people
    std::vector<std::string> files;  // paths that `text` names
    bool demanding = false;
    bool operator==(const Reply&) const = default;
  };

  std::string key;  // socketmap::Destination::key()
  base::Time made{};
  base::Time refresh{};
  base::Time usable{};
  bool kept = false;               // an enforced pin or a live MTA-STS policy is behind it
  std::vector<std::string> hosts;  // by the names that pins are bound to
  std::vector<Reply> replies;      // one a map

  const Reply* find(std::string_view map) const;
  bool demanding() const;  // any of it
  // When nothing of it can be told any more, even while the DNS is broken.
  base::Time over() const;

  std::string encode() const;
  // Error "policyd.record".
  static base::Result<Told> decode(std::string_view record);
  bool operator==(const Told&) const = default;
};

// So long after it was made an answer that demands something is told on where no new one can be had.
inline constexpr base::Seconds kStale = std::chrono::hours(24);

}  // namespace pinnace::policyd
