// What became of an attempt, recipient by recipient: recorded in the queue, told to the sender, and logged.
#pragma once

#include <string>
#include <vector>

#include "delivery/problem.hpp"
#include "delivery/session.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

// None of the message's recipients that are due was reached, all for this. `host`: the last that was tried.
std::vector<queue::Outcome> same_for_all(const queue::Work& work, const Problem& problem,
                                         const std::string& host);

// Makes outcomes durable, with the notice to the sender where one is due, and logs them. `session`: over
// which the message went; null: over none.
io::Task<void> record_outcomes(const Tools& tools, queue::Queue& queue, queue::Work work,
                               std::vector<queue::Outcome> outcomes, const Session* session);

// An address that could not be used, before the next one is tried.
void log_refused(const queue::Work& work, const Session& session, const Problem& problem);

}  // namespace pinnace::delivery
