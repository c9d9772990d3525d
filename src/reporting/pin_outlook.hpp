// How long senders may still hold a pin that the host does not match any more.
#pragma once

#include <optional>
#include <span>

#include "pins/ledger.hpp"

namespace pinnace::reporting {

// The end of the last promise that binds somebody to other keys than `live`, broken or not; nothing: there is
// none. A promise in MODE=REPORT keeps nobody's mail back.
std::optional<base::Time> old_pin_until(std::span<const pins::Promise> promises,
                                        std::span<const pins::Pin> live, base::Time now);

}  // namespace pinnace::reporting
