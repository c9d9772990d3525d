// The rows of the store that hold a message's octets, and the mark of one that is still being received.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "queue/message.hpp"
#include "store/database.hpp"

namespace pinnace::queue {

// In the table `bodies`: octets of one message, `n` counts from 0.
std::string row_key(MessageId id, std::uint32_t n);

// In the table `meta`: a message whose rows a restart clears away, since it was never taken.
inline constexpr std::string_view kReceiving = "receiving/";
std::string receiving_key(MessageId id);
io::Task<void> clear_rows(store::Database* db, MessageId id);

}  // namespace pinnace::queue
