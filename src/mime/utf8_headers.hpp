// Whether a message needs SMTPUTF8 for its text: a header field in it, at any depth, with other octets than
// ASCII (RFC 6532, RFC 6531 3.2).
#pragma once

#include "mime/entities.hpp"

namespace pinnace::mime {

// Fed in pieces cut anywhere. Where a part cannot be looked into, all of it counts as header.
class Utf8Headers final : private EntityListener {
 public:
  Utf8Headers() : reader_(*this) {}
  Utf8Headers(const Utf8Headers&) = delete;

  void feed(std::string_view text) { reader_.feed(text); }
  bool finish();  // is there one?

 private:
  void other(std::string_view octets, Place place) override;
  void encoding_field(std::string_view field) override { other(field, Place::header); }
  void header_end(const Entity&) override {}
  void body(std::string_view) override {}
  void body_end(bool) override {}

  EntityReader reader_;
  bool found_ = false;
};

}  // namespace pinnace::mime
