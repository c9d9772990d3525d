#include "delivery/conversion.hpp"

#include <gtest/gtest.h>

namespace pinnace::delivery {
namespace {

// RFC 6152 3, RFC 3030 3
TEST(NeededConversion, IsWhatTheHostLacks) {
  using enum mime::Transport;
  constexpr std::optional<mime::Transport> kNone;
  const struct {
    bool eight_bit;
    bool binary;
    std::vector<std::string> offers;
    bool chunking;
    std::optional<mime::Transport> needed;
    const char* why;
  } cases[] = {
      {false, false, {}, true, kNone, "7-bit text fits everywhere"},
      {true, false, {"8BITMIME"}, true, kNone, "8BITMIME"},
      {true, false, {}, true, seven_bit, "no 8BITMIME"},
      {true, false, {"BINARYMIME", "CHUNKING"}, true, seven_bit, "BINARYMIME does not stand for 8BITMIME"},
      {true, true, {"BINARYMIME", "CHUNKING"}, true, kNone, "BINARYMIME"},
      {true, true, {"BINARYMIME", "8BITMIME", "CHUNKING"}, false, eight_bit, "the operator has no BDAT"},
      {true, true, {"BINARYMIME", "8BITMIME"}, true, eight_bit, "BINARYMIME without CHUNKING"},
      {true, true, {"8BITMIME", "CHUNKING"}, true, eight_bit, "only 8BITMIME"},
      {true, true, {"CHUNKING"}, true, seven_bit, "neither"},
      {false, true, {}, true, seven_bit, "binary without 8-bit text"},
  };
  for (const auto& c : cases) {
    queue::Message m;
    m.body_8bit = c.eight_bit;
    m.body_binary = c.binary;
    smtp::Reply ehlo{250, {"mx.x.test"}};
    ehlo.lines.insert(ehlo.lines.end(), c.offers.begin(), c.offers.end());
    EXPECT_EQ(needed_conversion(m, smtp::Capabilities(ehlo), c.chunking), c.needed) << c.why;
  }
}

}  // namespace
}  // namespace pinnace::delivery
