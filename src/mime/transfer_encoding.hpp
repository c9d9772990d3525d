// A message made to fit through a host that does not take it as it is: the parts that do not fit are written
// in quoted-printable or base64, all else stays octet for octet (RFC 6152 3, RFC 3030 3).
//
// A part's header, which names its encoding, comes before its content. So the message is read twice: once by
// a TransferSurvey, which finds what does not fit, or that it cannot be helped; and, where something is to be
// done, once by a TransferConverter, while it is sent. Both are fed in pieces cut anywhere.
//
// What is content: the body of every part that is no multipart and no message, at any depth. A part that
// already is encoded, or must not be touched (signed, encrypted, message/partial), or whose header two
// readers could read differently, is left alone; where it does not fit, the message cannot be converted.
// Neither can one whose header fields do not fit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "mime/body_encoder.hpp"
#include "mime/entities.hpp"

namespace pinnace::mime {

// What the next host takes. Both: lines of at most 998 octets (RFC 5321 4.5.3.1.6), no NUL, and CR and LF
// only together.
enum class Transport : std::uint8_t {
  seven_bit,  // no octets above 127
  eight_bit,  // 8BITMIME, but not BINARYMIME
};

// What becomes of each entity, in the order of their headers.
class TransferPlan {
 public:
  // False: the message fits as it is.
  bool changes() const { return !labels_.empty(); }

 private:
  friend class TransferSurvey;
  friend class TransferConverter;
  // The encoding that an entity is labelled with from now on; none: its own. Empty: nothing changes.
  std::vector<std::optional<TransferEncoding>> labels_;
};

// Where the text goes beyond what a host takes.
class OctetCheck {
 public:
  struct Seen {
    bool eight_bit = false;
    bool bare = false;  // a NUL, or a CR or LF that stands alone
    bool long_line = false;
  };
  Seen take(std::string_view octets);
  // A CR was the last octet; forgotten then.
  bool ends_in_cr() { return std::exchange(cr_, false); }

 private:
  std::size_t line_ = 0;
  bool cr_ = false;
};

class TransferSurvey final : private EntityListener {
 public:
  static constexpr std::size_t kMaxEntities = 10'000;

  explicit TransferSurvey(Transport transport) : transport_(transport), reader_(*this) {}
  TransferSurvey(const TransferSurvey&) = delete;

  void feed(std::string_view text);
  // "mime.not_convertible": what in it does not fit and cannot be changed.
  base::Result<TransferPlan> finish();

 private:
  void other(std::string_view octets, Place place) override;
  void encoding_field(std::string_view field) override { other(field, Place::header); }
  void header_end(const Entity& entity) override;
  void body(std::string_view octets) override;
  void body_end(bool at_end) override;

  bool fits(const OctetCheck::Seen& seen) const;
  void refuse(std::string detail);

  Transport transport_;
  EntityReader reader_;
  OctetCheck check_;
  Entity entity_;             // of the last header
  OctetCheck::Seen in_leaf_;  // so far
  bool encodes_ = false;
  TransferPlan plan_;
  std::string refusal_;  // empty: none
};

class TransferConverter final : private EntityListener {
 public:
  explicit TransferConverter(TransferPlan plan) : plan_(std::move(plan)), reader_(*this) {}
  TransferConverter(const TransferConverter&) = delete;

  // Both append to `out`.
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  void other(std::string_view octets, Place place) override;
  void encoding_field(std::string_view field) override;
  void header_end(const Entity& entity) override;
  void body(std::string_view octets) override;
  void body_end(bool at_end) override;

  std::optional<TransferEncoding> label() const;

  TransferPlan plan_;
  EntityReader reader_;
  std::size_t entity_ = 0;                    // whose header is under way, or the next one's
  std::optional<TransferEncoding> encoding_;  // of the body under way, where it is to be encoded
  QuotedPrintableEncoder quoted_printable_;
  Base64Encoder base64_;
  std::string* out_ = nullptr;
};

}  // namespace pinnace::mime
