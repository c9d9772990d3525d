// What the sender of a message is told of its fate: delivery status notifications (RFC 3464) to its
// reverse-path, as he asked for them (RFC 3461 5.2).
#pragma once

#include <optional>

#include "delivery/settings.hpp"
#include "mime/dsn.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

// What a notice says of this outcome; nothing where none is due.
std::optional<mime::Action> to_tell(const Settings& settings, const queue::Message& message,
                                    const queue::Outcome& outcome, base::Time now);

// One notice of all the outcomes that are to be told; those of delays are marked as told. Nothing where none
// is, as for the null reverse-path: a DSN is not answered by a DSN (RFC 5321 6.1, RFC 3461 5.2).
std::optional<queue::OwnMessage> make_notice(const Settings& settings, const queue::Queue& queue,
                                             const queue::Message& message,
                                             std::vector<queue::Outcome>& outcomes, bool expired,
                                             base::Time now);

}  // namespace pinnace::delivery
