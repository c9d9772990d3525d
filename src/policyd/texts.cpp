#include "policyd/texts.hpp"

#include <cstring>

namespace pinnace::policyd {

std::uint32_t Texts::take(std::string_view text) {
  const auto hash = static_cast<std::uint32_t>(hash_(text));
  const std::uint32_t found = index_.find(
      hash, [&](std::uint32_t number) { return texts_[number].hash == hash && (*this)[number] == text; });
  if (found != kNone) {
    ++texts_[found].holders;
    return found;
  }
  Text added{hash, 1, static_cast<std::uint32_t>(text.size()),
             std::make_unique_for_overwrite<char[]>(text.size())};
  if (!text.empty()) std::memcpy(added.text.get(), text.data(), text.size());
  const std::uint32_t number = texts_.add(std::move(added));
  index_.insert(hash, number, hash_of());
  octets_ += cost(text.size());
  return number;
}

void Texts::drop(std::uint32_t number) {
  Text& text = texts_[number];
  if (--text.holders > 0) return;
  octets_ -= cost(text.size);
  index_.erase(number, hash_of());
  texts_.remove(number);
}

}  // namespace pinnace::policyd
