#include "mime/utf8_headers.hpp"

#include <algorithm>

namespace pinnace::mime {

bool Utf8Headers::finish() {
  reader_.finish();
  return found_;
}

void Utf8Headers::other(std::string_view octets, Place place) {
  if (found_ || (place != Place::header && place != Place::opaque)) return;
  found_ = std::any_of(octets.begin(), octets.end(), [](char c) { return (c & 0x80) != 0; });
}

}  // namespace pinnace::mime
