#include "queue/agenda.hpp"

#include <algorithm>
#include <limits>

namespace pinnace::queue {
namespace {

std::uint32_t seconds(base::Time t) {
  const auto s = std::chrono::ceil<base::Seconds>(t).time_since_epoch().count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(s, 0, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

bool Agenda::later(const Row& a, const Row& b) { return a.due != b.due ? a.due > b.due : b.id() < a.id(); }

std::uint32_t Agenda::slot(std::string_view destination) {
  const auto [at, fresh] = slots_.try_emplace(std::string(destination), 0);
  if (!fresh) return at->second;
  if (free_.empty()) {
    at->second = static_cast<std::uint32_t>(destinations_.size());
    destinations_.emplace_back();
  } else {
    at->second = free_.back();
    free_.pop_back();
  }
  destinations_[at->second] = std::make_unique<Destination>();
  destinations_[at->second]->name = &at->first;
  return at->second;
}

void Agenda::add(MessageId id, std::string_view destination, Turn turn, base::Time due, base::Time now) {
  const std::uint32_t number = slot(destination);
  Destination& to = *destinations_[number];
  if (due <= now) {
    to.line.push(id, turn);
    ++due_;
    if (on_due_) on_due_(*to.name);
    return;
  }
  ++to.rows;
  waiting_.push_back({seconds(due), static_cast<std::uint32_t>(id.value >> 32),
                      static_cast<std::uint32_t>(id.value), number, turn.sender, turn.priority});
  std::push_heap(waiting_.begin(), waiting_.end(), later);
}

void Agenda::add_front(Line::Entry entry, std::string_view destination) {
  Destination& to = *destinations_[slot(destination)];
  to.line.push_front(entry);
  ++due_;
  if (on_due_) on_due_(*to.name);
}

bool Agenda::poll(base::Time now, std::size_t most) {
  const auto second = std::chrono::floor<base::Seconds>(now).time_since_epoch().count();
  forget_empty();
  std::size_t moved = 0;
  while (!waiting_.empty() && waiting_.front().due <= second) {
    if (moved++ == most) return true;
    std::pop_heap(waiting_.begin(), waiting_.end(), later);
    const Row row = waiting_.back();
    waiting_.pop_back();
    Destination& to = *destinations_[row.destination];
    --to.rows;
    to.line.push(row.id(), {row.sender, row.priority});
    ++due_;
    if (on_due_) on_due_(*to.name);
  }
  return false;
}

std::size_t Agenda::force_all() {
  const std::deque<Row> all = std::exchange(waiting_, {});
  for (const Row& row : all) {
    Destination& to = *destinations_[row.destination];
    --to.rows;
    to.line.push_front({row.id(), true});
    ++due_;
    if (on_due_) on_due_(*to.name);
  }
  return all.size();
}

std::optional<Line::Entry> Agenda::pop(const std::string& destination) {
  const auto at = slots_.find(destination);
  if (at == slots_.end()) return std::nullopt;
  Destination& from = *destinations_[at->second];
  auto entry = from.line.pop();
  if (!entry) return entry;
  --due_;
  if (from.line.empty() && from.rows == 0) maybe_empty_.push_back(at->second);
  return entry;
}

std::size_t Agenda::promote(const std::string& destination, MessageId youngest) {
  const auto at = slots_.find(destination);
  return at == slots_.end() ? 0 : destinations_[at->second]->line.promote(youngest);
}

Line::Seen Agenda::see(const std::string& destination, MessageId youngest, std::size_t most) {
  const auto at = slots_.find(destination);
  return at == slots_.end() ? Line::Seen() : destinations_[at->second]->line.see(youngest, most);
}

void Agenda::forget_seen(const std::string& destination, const std::vector<MessageId>& sorted) {
  const auto at = slots_.find(destination);
  if (at != slots_.end()) destinations_[at->second]->line.forget_seen(sorted);
}

const Line* Agenda::line(const std::string& destination) const {
  const auto at = slots_.find(destination);
  if (at == slots_.end()) return nullptr;
  const Line& line = destinations_[at->second]->line;
  return line.empty() ? nullptr : &line;
}

std::vector<std::string> Agenda::due_destinations() const {
  std::vector<std::string> out;
  for (const auto& one : destinations_) {
    if (one && !one->line.empty()) out.push_back(*one->name);
  }
  return out;
}

// Not at once: most destinations have their next message soon.
void Agenda::forget_empty() {
  for (const std::uint32_t number : std::exchange(maybe_empty_, {})) {
    const auto& one = destinations_[number];
    if (!one || !one->line.empty() || one->rows > 0) continue;
    slots_.erase(slots_.find(*one->name));
    destinations_[number].reset();
    free_.push_back(number);
  }
}

}  // namespace pinnace::queue
