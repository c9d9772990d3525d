// The part of a delivery status notification that a person reads.
#pragma once

#include <string>

#include "mime/dsn.hpp"

namespace pinnace::mime {

// Did the lifetime end it, rather than a refusal? A refusal in the last attempt is a refusal.
bool given_up(const Dsn& dsn, const DsnRecipient& recipient);

// What happened, to whom, why, and what the author can do: lines of at most 76 octets unless a word
// is longer, with CRLF. ASCII, addresses excepted.
std::string words(const Dsn& dsn);

}  // namespace pinnace::mime
