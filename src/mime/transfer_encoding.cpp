#include "mime/transfer_encoding.hpp"

#include <fmt/format.h>

#include <utility>

namespace pinnace::mime {
namespace {

constexpr std::size_t kLongestLine = 998;  // without its CRLF

bool is_made_here(const std::optional<TransferEncoding>& label) {
  return label == TransferEncoding::quoted_printable || label == TransferEncoding::base64;
}

std::string_view name_of(EntityListener::Place place) {
  switch (place) {
    case EntityListener::Place::header:
      return "a header";
    case EntityListener::Place::around:
      return "the text in front of or behind the parts of a multipart";
    case EntityListener::Place::delimiter:
    case EntityListener::Place::opaque:
      break;
  }
  return "a delimiter of parts";
}

std::string_view name_of(const OctetCheck::Seen& seen) {
  return seen.bare        ? "a NUL, or a CR or LF that stands alone"
         : seen.long_line ? "a line of more than 998 octets"
                          : "8-bit text";
}

}  // namespace

OctetCheck::Seen OctetCheck::take(std::string_view octets) {
  Seen seen;
  for (const char c : octets) {
    if (ends_in_cr()) {
      if (c == '\n') {
        line_ = 0;
        continue;
      }
      seen.bare = true;
      ++line_;
    }
    if (c == '\r') {
      cr_ = true;
      continue;
    }
    seen.bare = seen.bare || c == '\n' || c == '\0';
    seen.eight_bit = seen.eight_bit || static_cast<unsigned char>(c) > 0x7f;
    seen.long_line = ++line_ > kLongestLine || seen.long_line;
  }
  return seen;
}

void TransferSurvey::feed(std::string_view text) {
  if (refusal_.empty()) reader_.feed(text);
}

base::Result<TransferPlan> TransferSurvey::finish() {
  reader_.finish();
  if (check_.ends_in_cr()) refuse("it ends in a CR that stands alone");
  if (!refusal_.empty()) return base::fail("mime.not_convertible", refusal_);
  // Where nothing is encoded the labels stay too: they promise less than is kept, and signatures hold.
  if (!encodes_) plan_.labels_.clear();
  return std::move(plan_);
}

void TransferSurvey::refuse(std::string detail) {
  if (refusal_.empty()) refusal_ = std::move(detail);
}

bool TransferSurvey::fits(const OctetCheck::Seen& seen) const {
  return !seen.bare && !seen.long_line && !(seen.eight_bit && transport_ == Transport::seven_bit);
}

void TransferSurvey::other(std::string_view octets, Place place) {
  const OctetCheck::Seen seen = check_.take(octets);
  if (fits(seen)) return;
  const std::string_view where =
      place == Place::opaque ? std::string_view(entity_.why_opaque) : name_of(place);
  refuse(fmt::format("{} has {}", where, name_of(seen)));
}

void TransferSurvey::header_end(const Entity& entity) {
  entity_ = entity;
  in_leaf_ = {};
  // RFC 2045 6.4: the label of what holds others says what the worst of them is, and that is less now. What
  // becomes of a leaf is known at its end.
  std::optional<TransferEncoding> label;
  const bool too_much =
      entity.encoding == TransferEncoding::binary ||
      (entity.encoding == TransferEncoding::eight_bit && transport_ == Transport::seven_bit);
  if (too_much && entity.kind != Entity::Kind::opaque) {
    label = transport_ == Transport::seven_bit ? TransferEncoding::seven_bit : TransferEncoding::eight_bit;
  }
  if (plan_.labels_.size() == kMaxEntities)
    return refuse(fmt::format("it has more than {} parts", kMaxEntities));
  plan_.labels_.push_back(label);
}

void TransferSurvey::body(std::string_view octets) {
  const OctetCheck::Seen seen = check_.take(octets);
  in_leaf_.eight_bit = in_leaf_.eight_bit || seen.eight_bit;
  in_leaf_.bare = in_leaf_.bare || seen.bare;
  in_leaf_.long_line = in_leaf_.long_line || seen.long_line;
}

void TransferSurvey::body_end(bool /*at_end*/) {
  in_leaf_.bare = check_.ends_in_cr() || in_leaf_.bare;
  if (fits(in_leaf_)) return;
  if (entity_.encoding && *entity_.encoding > TransferEncoding::binary) {
    return refuse(fmt::format("a part that is encoded already has {}", name_of(in_leaf_)));
  }
  // Quoted-printable knows lines (RFC 2045 6.7 (4)): what has other line ends is no text.
  plan_.labels_.back() =
      entity_.text && !in_leaf_.bare ? TransferEncoding::quoted_printable : TransferEncoding::base64;
  encodes_ = true;
}

void TransferConverter::feed(std::string_view text, std::string& out) {
  out_ = &out;
  reader_.feed(text);
}

void TransferConverter::finish(std::string& out) {
  out_ = &out;
  reader_.finish();
}

std::optional<TransferEncoding> TransferConverter::label() const {
  return entity_ < plan_.labels_.size() ? plan_.labels_[entity_] : std::nullopt;
}

void TransferConverter::other(std::string_view octets, Place /*place*/) { out_->append(octets); }

void TransferConverter::encoding_field(std::string_view field) {
  const auto now = label();
  if (!now) return other(field, Place::header);
  out_->append(fmt::format("Content-Transfer-Encoding: {}\r\n", to_string(*now)));
}

void TransferConverter::header_end(const Entity& entity) {
  const auto now = label();
  const bool encodes = is_made_here(now);
  // RFC 2045 4: a message without it is none of MIME, and what was done to it would not be undone.
  if (plan_.changes() && entity.message && !entity.has_version && (encodes || entity_ == 0)) {
    out_->append("MIME-Version: 1.0\r\n");
  }
  // RFC 1428 3: text that nobody said the character set of.
  if (encodes && entity.message && !entity.has_type) {
    out_->append("Content-Type: text/plain; charset=unknown-8bit\r\n");
  }
  if (now && !entity.encoding) encoding_field({});
  encoding_ = encodes ? now : std::nullopt;
  ++entity_;
}

void TransferConverter::body(std::string_view octets) {
  if (!encoding_) {
    out_->append(octets);
  } else if (*encoding_ == TransferEncoding::base64) {
    base64_.feed(octets, *out_);
  } else {
    quoted_printable_.feed(octets, *out_);
  }
}

void TransferConverter::body_end(bool at_end) {
  if (!encoding_) return;
  if (*encoding_ == TransferEncoding::base64) {
    base64_.finish(at_end, *out_);
  } else {
    quoted_printable_.finish(at_end, *out_);
  }
}

}  // namespace pinnace::mime
