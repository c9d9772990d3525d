#include "delivery/conversion.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mime/utf8_headers.hpp"

namespace pinnace::delivery {

std::optional<mime::Transport> needed_conversion(const queue::Message& message,
                                                 const smtp::Capabilities& host, bool chunking) {
  const bool eight_bit = host.has("8BITMIME");
  if (message.body_binary) {
    // RFC 3030 3: BINARYMIME by BDAT only; 8-bit text is among what it takes.
    if (chunking && host.has("CHUNKING") && host.has("BINARYMIME")) return std::nullopt;
    return eight_bit ? mime::Transport::eight_bit : mime::Transport::seven_bit;
  }
  // RFC 6152 3
  if (message.body_8bit && !eight_bit) return mime::Transport::seven_bit;
  return std::nullopt;
}

io::Task<Attempt<mime::TransferPlan>> plan_conversion(io::Loop& loop, const queue::Queue& queue,
                                                      const queue::Message& message,
                                                      mime::Transport transport) {
  mime::TransferSurvey survey(transport);
  for (std::uint32_t row = 0; row < message.chunks; ++row) {
    auto octets = queue.body_chunk(message, row);
    if (!octets) co_return std::unexpected(temporary("4.3.0", octets.error().detail));
    survey.feed(*octets);
    io::Timer others(loop);
    const bool waited = co_await others.wait(base::Milliseconds(0));
    (void)waited;
  }
  auto plan = survey.finish();
  if (plan) co_return std::move(*plan);
  const std::string_view lacking = transport == mime::Transport::seven_bit ? "8BITMIME" : "BINARYMIME";
  // RFC 3463 3.7
  co_return std::unexpected(permanent(
      "5.6.3", fmt::format("the message needs {}, which the receiving server does not offer, and cannot be "
                           "converted: {}",
                           lacking, plan.error().detail)));
}

namespace {

bool eight_bit(std::string_view s) {
  return std::any_of(s.begin(), s.end(), [](char c) { return (c & 0x80) != 0; });
}

}  // namespace

io::Task<Attempt<bool>> needs_smtputf8(io::Loop& loop, const queue::Queue& queue, const queue::Work& work) {
  const queue::Message& message = *work.message;
  if (eight_bit(message.reverse_path)) co_return true;
  for (const std::size_t i : work.recipients) {
    if (eight_bit(message.recipients[i].address)) co_return true;
  }
  if (!message.body_8bit) co_return false;
  mime::Utf8Headers headers;
  for (std::uint32_t row = 0; row < message.chunks; ++row) {
    auto octets = queue.body_chunk(message, row);
    if (!octets) co_return std::unexpected(temporary("4.3.0", octets.error().detail));
    headers.feed(*octets);
    io::Timer others(loop);
    const bool waited = co_await others.wait(base::Milliseconds(0));
    (void)waited;
  }
  co_return headers.finish();
}

}  // namespace pinnace::delivery
