// The entities a message is made of (RFC 2045 2.4): itself, the parts of a multipart, the message that is
// inside a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mime/content_fields.hpp"

namespace pinnace::mime {

// What an entity's header says of the octets behind it.
struct Entity {
  enum class Kind : std::uint8_t {
    leaf,       // they are content
    composite,  // they are entities again
    opaque,     // they are whatever they are: nothing of it may be changed
  };
  Kind kind = Kind::leaf;
  bool message = false;                      // the header is a message's, not a part's
  bool text = true;                          // text/*
  std::string type;                          // "text/plain", in lower case
  bool has_type = false;                     // there is a Content-Type
  bool has_version = false;                  // there is a MIME-Version
  std::optional<TransferEncoding> encoding;  // none: there is no such field
  std::string why_opaque;
};

// Is given every octet of a message once, in order.
class EntityListener {
 public:
  enum class Place : std::uint8_t { header, delimiter, around, opaque };  // around: preamble and epilogue

  virtual void other(std::string_view octets, Place place) = 0;
  virtual void encoding_field(std::string_view field) = 0;  // a whole Content-Transfer-Encoding, to its CRLF
  // Behind an entity's last field, in front of the empty line.
  virtual void header_end(const Entity& entity) = 0;
  virtual void body(
      std::string_view octets) = 0;  // of a leaf; the CRLF in front of a delimiter is none of it
  // Of a leaf. `at_end`: the message ends too, so that no delimiter's CRLF ends the last line.
  virtual void body_end(bool at_end) = 0;

 protected:
  ~EntityListener() = default;
};

// Fed with a message in pieces cut anywhere. Keeps a line, one or two header fields, and the boundaries of
// the multiparts it is in. Structure is what Content-Type says, whether or not there is a MIME-Version: so do
// those who will read it.
class EntityReader {
 public:
  static constexpr std::size_t kMaxDepth = 100;       // multiparts inside each other
  static constexpr std::size_t kMaxField = 16 << 10;  // octets of a field that is understood here

  explicit EntityReader(EntityListener& listener) : listener_(listener) { begin_header(true, false); }

  void feed(std::string_view text);
  void finish();

 private:
  enum class At : std::uint8_t { header, body, around, opaque };
  enum class Field : std::uint8_t { none, other, type, encoding, version };
  struct Multipart {
    std::string boundary;
    bool digest;
  };

  void take(std::string_view piece);
  void take_line(std::string_view piece, bool whole, bool ended);
  bool take_delimiter(std::string_view line);
  void header_line(std::string_view line, bool whole);
  void begin_field(std::string_view line);
  void add_to_field(std::string_view line);
  void end_field();
  void begin_header(bool message, bool in_digest);
  void end_header();
  Entity::Kind kind();
  Entity::Kind kind_of_multipart();
  Entity::Kind kind_of_message();
  Entity::Kind opaque(std::string_view why);
  void enter_body();
  void body_piece(std::string_view piece, bool ended);
  void end_entity(bool at_end);

  EntityListener& listener_;
  At at_ = At::header;
  std::vector<Multipart> open_;  // the outermost first

  std::string line_;         // octets of the line under way
  bool line_begins_ = true;  // they are its first
  bool crlf_held_ = false;   // in a body: whether it is a delimiter's is still to come

  Entity entity_;  // of the header under way, or the last one
  bool in_digest_ = false;
  ContentType type_;
  Field field_ = Field::none;
  std::string value_;  // the field's octets, of type and encoding
};

}  // namespace pinnace::mime
