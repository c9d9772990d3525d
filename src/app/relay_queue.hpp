// What a running relay answers of its queue. What may be long is answered page by page: a page looks at a
// bounded number of messages, and says behind which the next begins.
#pragma once

#include <boost/json.hpp>

#include "app/queue_query.hpp"
#include "delivery/deliverer.hpp"
#include "queue/queue.hpp"

namespace pinnace::app {

class RelayQueue {
 public:
  using Answer = base::Result<boost::json::value>;
  RelayQueue(queue::Queue& queue, delivery::Deliverer& deliverer, const base::Clock& clock)
      : queue_(queue), deliverer_(deliverer), clock_(clock) {}

  Answer list(const boost::json::object& request) const;
  Answer show(const boost::json::object& request) const;
  // Numbers by destination, reason and age, of one page.
  Answer stats(const boost::json::object& request) const;
  // One row of the message's text, each octet as the character of its number.
  Answer row(const boost::json::object& request) const;
  // hold, release, retry, requeue, remove or priority, of all that is selected; logged with the user who
  // asks.
  io::Task<Answer> change(boost::json::object request);

 private:
  struct Page {
    std::vector<queue::Message> messages;
    boost::json::value next;  // an id, or null
  };
  base::Result<Page> page(const boost::json::object& request, const QueueQuery& query) const;
  base::Result<queue::Message> found(const std::string& id) const;
  void share_reason(queue::Message& message) const;
  std::size_t retry(const Page& page);

  queue::Queue& queue_;
  delivery::Deliverer& deliverer_;
  const base::Clock& clock_;
};

}  // namespace pinnace::app
