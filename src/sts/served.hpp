// What a policy host served: a policy, or why it is none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sts/policy.hpp"

namespace pinnace::sts {

// RFC 8460 4.3.2.2
inline constexpr std::string_view kFetchError = "sts-policy-fetch-error";
inline constexpr std::string_view kInvalid = "sts-policy-invalid";
inline constexpr std::string_view kWebpkiInvalid = "sts-webpki-invalid";

struct Served {
  std::optional<Policy> policy;
  std::string_view problem;  // without a policy: the result type
  std::string detail;        // and why, for people
};

// RFC 8461 3.2, 3.3: status 200, a body of text/plain, to the grammar.
Served read_served(long status, std::string_view content_type, std::string_view body);

// "text/plain", with any parameters.
bool is_text_plain(std::string_view content_type);

}  // namespace pinnace::sts
