#include "queue/envelope.hpp"

namespace pinnace::queue {

std::shared_ptr<Message> make_message(MessageId id, base::Time arrived, const Envelope& envelope) {
  auto message = std::make_shared<Message>();
  message->id = id;
  message->reverse_path = envelope.reverse_path;
  message->smtputf8 = envelope.smtputf8;
  message->tls_wish = envelope.tls_wish;
  message->client = envelope.client;
  message->envid = envelope.envid;
  message->ret = envelope.ret;
  message->priority = envelope.priority;
  message->route = envelope.route;
  message->arrived = arrived;
  for (const EnvelopeRecipient& to : envelope.recipients) {
    Recipient recipient;
    recipient.address = to.address;
    recipient.notify = to.notify;
    recipient.orcpt = to.orcpt;
    recipient.next_attempt = arrived;
    message->recipients.push_back(std::move(recipient));
  }
  return message;
}

}  // namespace pinnace::queue
