#include "mime/content_fields.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace pinnace::mime {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// RFC 2045 5.1
bool is_token(char c) {
  return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

// The words of a field's value.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) { skip(); }

  bool at_end() const { return text_.empty(); }

  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    skip();
    return true;
  }

  // In lower case; empty: there is none.
  std::string token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_token);
    std::string out = lower({text_.begin(), end});
    text_.remove_prefix(out.size());
    skip();
    return out;
  }

  // A parameter's. Many write one without its quotes that needs them, "=_part" mostly.
  std::optional<std::string> value() {
    if (text_.starts_with('"')) return quoted();
    std::string out(text_.substr(0, text_.find_first_of("; \t\r\n")));
    if (out.empty() || out.find_first_of("\"()\\") != std::string::npos) return std::nullopt;
    text_.remove_prefix(out.size());
    skip();
    return out;
  }

 private:
  std::optional<std::string> quoted() {
    std::string out;
    for (std::size_t i = 1; i < text_.size(); ++i) {
      if (text_[i] == '"') {
        text_.remove_prefix(i + 1);
        skip();
        return out;
      }
      if (text_[i] == '\\' && ++i == text_.size()) break;
      if (text_[i] != '\r' && text_[i] != '\n') out += text_[i];  // RFC 5322 3.2.4: a fold is none of it
    }
    return std::nullopt;
  }

  // RFC 5322 3.2.2: blanks, folds, and comments, which nest. One that never ends stays, and is no word.
  void skip() {
    std::size_t depth = 0;
    std::size_t i = 0;
    for (; i < text_.size(); ++i) {
      if (text_[i] == '(') {
        ++depth;
      } else if (depth > 0) {
        if (text_[i] == ')') --depth;
        if (text_[i] == '\\') ++i;
      } else if (kBlanks.find(text_[i]) == std::string_view::npos) {
        break;
      }
    }
    if (depth == 0) text_.remove_prefix(std::min(i, text_.size()));
  }

  std::string_view text_;
};

bool good_boundary(std::string_view b) {
  const bool printable = std::all_of(b.begin(), b.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  return printable && !b.empty() && b.size() <= ContentType::kMaxBoundary && !b.ends_with(' ');
}

}  // namespace

base::Result<ContentType> ContentType::parse(std::string_view value) {
  const auto bad = [](std::string_view what) {
    return base::fail("mime.content_type", "a Content-Type field " + std::string(what));
  };
  ContentType out;
  Words words(value);
  out.type = words.token();
  const bool slash = words.take('/');
  out.subtype = words.token();
  if (out.type.empty() || !slash || out.subtype.empty()) return bad("without type/subtype");
  while (!words.at_end()) {
    if (!words.take(';')) return bad("with something that is no parameter");
    if (words.at_end()) break;  // many end so
    const std::string name = words.token();
    if (name.empty() || !words.take('=')) return bad("with a parameter that is none");
    const auto text = words.value();
    if (!text) return bad("with a parameter whose value is none");
    // RFC 2231 3 would cut it into pieces; few readers put them together again.
    if (name.starts_with("boundary*")) return bad("with a boundary in pieces");
    if (name != "boundary") continue;
    if (!out.boundary.empty()) return bad("with two boundaries");
    if (!good_boundary(*text)) return bad("with a boundary that cannot be one");
    out.boundary = *text;
  }
  return out;
}

namespace {
// In the order of the enumeration.
constexpr std::array<std::string_view, 5> kEncodings = {"7bit", "8bit", "binary", "quoted-printable",
                                                        "base64"};
}  // namespace

TransferEncoding parse_transfer_encoding(std::string_view value) {
  Words words(value);
  const std::string name = words.token();
  if (!words.at_end()) return TransferEncoding::other;
  const auto found = std::find(kEncodings.begin(), kEncodings.end(), name);
  return static_cast<TransferEncoding>(found - kEncodings.begin());  // behind the last: other
}

std::string_view to_string(TransferEncoding encoding) {
  const auto i = static_cast<std::size_t>(encoding);
  return i < kEncodings.size() ? kEncodings[i] : "other";
}

}  // namespace pinnace::mime
