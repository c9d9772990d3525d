#include "tlsrpt/report_mail.hpp"

#include <fmt/format.h>

#include <optional>

#include "mime/entities.hpp"
#include "mime/transfer_decoding.hpp"
#include "tlsrpt/gunzip.hpp"
#include "tlsrpt/report.hpp"

namespace pinnace::tlsrpt {
namespace {

bool is_object(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

// Finds the part that is the report.
class Search final : public mime::EntityListener {
 public:
  std::optional<std::string> take() { return named_ ? std::move(named_) : std::move(found_); }
  const std::string& why_not() const { return opaque_; }

 private:
  void other(std::string_view, Place) override {}
  void encoding_field(std::string_view) override {}
  void header_end(const mime::Entity& entity) override {
    entity_ = entity;
    body_.clear();
    if (entity.kind == mime::Entity::Kind::opaque) opaque_ = entity.why_opaque;
  }
  void body(std::string_view octets) override {
    if (!named_) body_ += octets;
  }
  void body_end(bool) override {
    if (named_) return;
    // RFC 8460 5.3: these two; others call it application/gzip, or nothing in particular.
    const bool named = entity_.type.starts_with("application/tlsrpt");
    if (!named && found_) return;
    std::string content = mime::decode_transfer(body_, entity_.encoding);
    if (!is_gzip(content) && !is_object(content)) return;
    (named ? named_ : found_) = std::move(content);
  }

  mime::Entity entity_;
  std::string body_;
  std::string opaque_;
  std::optional<std::string> named_, found_;
};

std::string with_crlf(std::string_view mail) {
  if (mail.starts_with("From ")) mail.remove_prefix(std::min(mail.find('\n'), mail.size() - 1) + 1);
  std::string out;
  out.reserve(mail.size() + mail.size() / 32);
  char before = '\0';
  for (const char c : mail) {
    if (c == '\n' && before != '\r') out += '\r';
    out += before = c;
  }
  return out;
}

base::Result<std::string> unpacked(std::string octets) {
  if (is_gzip(octets)) return gunzip(octets, kMaxJson);
  return octets;
}

}  // namespace

base::Result<std::string> report_json(std::string_view delivered) {
  if (delivered.size() > kMaxDelivered)
    return base::fail("tlsrpt.size", fmt::format("more than {} octets", kMaxDelivered));
  if (is_gzip(delivered) || is_object(delivered)) return unpacked(std::string(delivered));
  Search search;
  mime::EntityReader reader(search);
  reader.feed(with_crlf(delivered));
  reader.finish();
  auto found = search.take();
  if (found) return unpacked(std::move(*found));
  return base::fail("tlsrpt.none",
                    "no TLS report is in it: neither JSON, nor gzip, nor a mail with such a part" +
                        (search.why_not().empty() ? "" : " (it has " + search.why_not() + ")"));
}

}  // namespace pinnace::tlsrpt
