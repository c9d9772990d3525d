// Whether a message's text must be converted for a host, and how (mime/transfer_encoding.hpp).
#pragma once

#include <optional>

#include "delivery/problem.hpp"
#include "io/loop.hpp"
#include "mime/transfer_encoding.hpp"
#include "queue/queue.hpp"
#include "smtp/capabilities.hpp"

namespace pinnace::delivery {

// What the text must be made to fit; none: the host takes it as it is. `chunking`: BDAT may be used.
std::optional<mime::Transport> needed_conversion(const queue::Message& message,
                                                 const smtp::Capabilities& host, bool chunking);

// Reads all of the text, and lets others go on meanwhile. A permanent problem where it cannot be converted.
io::Task<Attempt<mime::TransferPlan>> plan_conversion(io::Loop& loop, const queue::Queue& queue,
                                                      const queue::Message& message,
                                                      mime::Transport transport);

// RFC 6531 3.6: SMTPUTF8 was said, which does not mean that the message needs it. Reads the text where the
// addresses do not tell, and lets others go on meanwhile.
io::Task<Attempt<bool>> needs_smtputf8(io::Loop& loop, const queue::Queue& queue, const queue::Work& work);

}  // namespace pinnace::delivery
