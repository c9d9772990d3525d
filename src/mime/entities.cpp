#include "mime/entities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mime/field_line.hpp"

namespace pinnace::mime {
namespace {

using Kind = Entity::Kind;
using Place = EntityListener::Place;

constexpr std::size_t kLongestLine = 1000;  // with its CRLF (RFC 5321 4.5.3.1.6): no longer one is understood

bool same(std::string_view name, std::string_view lower_case) {
  return std::equal(name.begin(), name.end(), lower_case.begin(), lower_case.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

// RFC 2045 6.4: only these labels are allowed on what holds other entities.
bool is_encoded(const std::optional<TransferEncoding>& label) {
  return label && *label > TransferEncoding::binary;
}

}  // namespace

void EntityReader::feed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view piece = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(piece.size());
    take(piece);
  }
}

// Octets of one line. What is made of them must not hang on how they were cut.
void EntityReader::take(std::string_view piece) {
  line_ += piece;
  const bool ended = line_.ends_with("\r\n");
  if (!ended && line_.size() <= kLongestLine) return;
  const bool cut_in_crlf = line_.ends_with('\r');
  if (cut_in_crlf) line_.pop_back();
  take_line(line_, line_begins_ && line_.size() <= kLongestLine, ended);
  line_ = cut_in_crlf ? "\r" : "";
  line_begins_ = ended;
}

void EntityReader::finish() {
  if (!line_.empty()) take_line(line_, line_begins_, false);
  end_entity(true);
}

void EntityReader::take_line(std::string_view piece, bool whole, bool ended) {
  if (whole && take_delimiter(piece)) return;
  switch (at_) {
    case At::header:
      return header_line(piece, whole);
    case At::body:
      return body_piece(piece, ended);
    case At::around:
      return listener_.other(piece, Place::around);
    case At::opaque:
      return listener_.other(piece, Place::opaque);
  }
}

// RFC 2046 5.1.2: an outer multipart's delimiter ends all that is inside it. One with anything but blanks
// behind the boundary is none, by the grammar of 5.1.1: it may be that of a longer boundary.
bool EntityReader::take_delimiter(std::string_view line) {
  if (open_.empty() || !line.starts_with("--")) return false;
  const std::string_view text = line.substr(2, line.find_last_not_of(" \t\r\n") - 1);
  for (std::size_t i = open_.size(); i-- > 0;) {
    const std::string& boundary = open_[i].boundary;
    if (!text.starts_with(boundary)) continue;
    const std::string_view behind = text.substr(boundary.size());
    if (!behind.empty() && behind != "--") continue;
    end_entity(false);
    if (std::exchange(crlf_held_, false)) listener_.other("\r\n", Place::delimiter);
    listener_.other(line, Place::delimiter);
    const bool digest = open_[i].digest;
    open_.resize(behind.empty() ? i + 1 : i);
    if (behind.empty()) {
      begin_header(false, digest);
    } else {
      at_ = At::around;
    }
    return true;
  }
  return false;
}

void EntityReader::begin_header(bool message, bool in_digest) {
  at_ = At::header;
  entity_ = {};
  entity_.message = message;
  in_digest_ = in_digest;
  type_ = {};
}

void EntityReader::header_line(std::string_view line, bool whole) {
  if (line == "\r\n") {
    end_header();
    listener_.other(line, Place::header);
    return enter_body();
  }
  if (whole && continues(line) && field_ != Field::none) return add_to_field(line);
  if (whole && !field_name(line).empty()) {
    end_field();
    return begin_field(line);
  }
  // Who reads it may see here the end of the header, or no more than a bad line of it.
  opaque(whole ? "a header with a line that is no field" : "a header line of more than 998 octets");
  end_header();
  at_ = At::opaque;
  listener_.other(line, Place::opaque);
}

void EntityReader::begin_field(std::string_view line) {
  const std::string_view name = field_name(line);
  field_ = same(name, "content-type")                ? Field::type
           : same(name, "content-transfer-encoding") ? Field::encoding
           : same(name, "mime-version")              ? Field::version
                                                     : Field::other;
  add_to_field(line);
}

void EntityReader::add_to_field(std::string_view line) {
  const bool kept = field_ == Field::type || field_ == Field::encoding;
  if (kept) value_ += line;
  if (field_ != Field::encoding) listener_.other(line, Place::header);
  if (kept && value_.size() > kMaxField) {
    opaque(fmt::format("a Content-Type or Content-Transfer-Encoding of more than {} octets", kMaxField));
    if (field_ == Field::encoding) listener_.other(value_, Place::header);
    value_.clear();
    field_ = Field::other;
  }
}

void EntityReader::end_field() {
  const std::string value = std::exchange(value_, {});
  const std::string_view behind_name = std::string_view(value).substr(value.find(':') + 1);
  switch (std::exchange(field_, Field::none)) {
    case Field::type: {
      if (entity_.has_type) opaque("two Content-Type fields");
      entity_.has_type = true;
      auto type = ContentType::parse(behind_name);
      if (!type) opaque(type.error().detail);
      if (type) type_ = std::move(*type);
      break;
    }
    case Field::encoding:
      listener_.encoding_field(value);
      if (entity_.encoding) opaque("two Content-Transfer-Encoding fields");
      entity_.encoding = parse_transfer_encoding(behind_name);
      break;
    case Field::version:
      entity_.has_version = true;
      break;
    case Field::other:
    case Field::none:
      break;
  }
}

Kind EntityReader::opaque(std::string_view why) {
  if (entity_.why_opaque.empty()) entity_.why_opaque = why;
  return Kind::opaque;
}

void EntityReader::end_header() {
  end_field();
  // RFC 2046 5.1.5
  if (in_digest_ && !entity_.has_type) type_ = {"message", "rfc822", ""};
  entity_.text = type_.type == "text";
  entity_.type = type_.type + "/" + type_.subtype;
  entity_.kind = kind();
  listener_.header_end(entity_);
}

Kind EntityReader::kind() {
  if (!entity_.why_opaque.empty()) return Kind::opaque;
  if (type_.type == "multipart") return kind_of_multipart();
  if (type_.type == "message") return kind_of_message();
  return Kind::leaf;
}

Kind EntityReader::kind_of_multipart() {
  // RFC 1847 2.1 and 2.2, RFC 3156 3, RFC 8551 3.1.1: what is signed was made 7-bit before, and any change
  // breaks the signature.
  if (type_.subtype == "signed") return opaque("a signed part, whose signature would break");
  if (type_.subtype == "encrypted") return opaque("an encrypted part");
  if (type_.boundary.empty()) return opaque("a multipart without a boundary");
  if (is_encoded(entity_.encoding)) return opaque("a multipart that is encoded itself (RFC 2045 6.4)");
  if (open_.size() == kMaxDepth)
    return opaque(fmt::format("more than {} multiparts in each other", kMaxDepth));
  return Kind::composite;
}

Kind EntityReader::kind_of_message() {
  const std::string& subtype = type_.subtype;
  // RFC 6532 3.5 to 3.7, RFC 6533: these may be encoded like other content.
  if (subtype.starts_with("global")) return Kind::leaf;
  // RFC 2046 5.2.2 and 5.2.3 have only 7bit; the others are fields, not text.
  if (subtype != "rfc822" && subtype != "news") return opaque("a part message/" + subtype);
  if (is_encoded(entity_.encoding)) return opaque("a message/rfc822 that is encoded itself (RFC 2045 6.4)");
  return Kind::composite;
}

void EntityReader::enter_body() {
  switch (entity_.kind) {
    case Kind::leaf:
      at_ = At::body;
      return;
    case Kind::opaque:
      at_ = At::opaque;
      return;
    case Kind::composite:
      break;
  }
  if (type_.type == "message") return begin_header(true, false);
  open_.push_back({type_.boundary, type_.subtype == "digest"});
  at_ = At::around;
}

void EntityReader::body_piece(std::string_view piece, bool ended) {
  if (crlf_held_) listener_.body("\r\n");
  crlf_held_ = ended;
  if (ended) piece.remove_suffix(2);
  if (!piece.empty()) listener_.body(piece);
}

void EntityReader::end_entity(bool at_end) {
  if (at_ == At::header) end_header();
  if (at_ != At::body) return;
  if (at_end && std::exchange(crlf_held_, false)) listener_.body("\r\n");
  listener_.body_end(at_end);
}

}  // namespace pinnace::mime
