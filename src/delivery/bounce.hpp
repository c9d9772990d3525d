// The DSN for recipients that are given up (RFC 3464), to the reverse-path of their message.
#pragma once

#include <optional>

#include "delivery/settings.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

// Nothing where the message has the null reverse-path: a DSN is not answered by a DSN
// (RFC 5321 6.1). `failed` are the outcomes of kind failed.
std::optional<queue::OwnMessage> make_bounce(const Settings& settings, const queue::Queue& queue,
                                             const queue::Message& message,
                                             const std::vector<queue::Outcome>& failed, bool expired,
                                             base::Time now);

}  // namespace pinnace::delivery
