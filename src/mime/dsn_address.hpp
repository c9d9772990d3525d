// Addresses in the fields of a delivery status notification (RFC 3464 2.3, RFC 6533 3).
#pragma once

#include <string>
#include <string_view>

namespace pinnace::mime {

// What a part may hold: message/delivery-status only ASCII, message/global-delivery-status UTF-8 too.
enum class FieldText { ascii, utf8 };

// Final-Recipient's value, with its type: "rfc822; a@x.test".
std::string typed_address(std::string_view address, FieldText text);

// Original-Recipient's value, from one in ASCII.
std::string original_address(std::string_view value, FieldText text);

}  // namespace pinnace::mime
