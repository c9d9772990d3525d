// What a message comes with, and the message that is made of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "queue/message.hpp"

namespace pinnace::queue {

struct EnvelopeRecipient {
  std::string address;
  names::Notify notify;
  std::string orcpt;  // as in Recipient

  EnvelopeRecipient(std::string a) : address(std::move(a)) {}  // NOLINT: an address alone is one
  EnvelopeRecipient(std::string a, names::Notify n, std::string o)
      : address(std::move(a)), notify(n), orcpt(std::move(o)) {}
};

struct Envelope {
  std::string reverse_path;
  std::vector<EnvelopeRecipient> recipients;
  bool smtputf8 = false;
  TlsWish tls_wish = TlsWish::none;
  std::string client;  // who hands it in, for the operator
  std::string envid;   // this and the following as in Message
  names::Return ret = names::Return::unset;
  Priority priority = Priority::normal;
  std::string route;
};

// The message as it is when it comes in, without its text: every recipient is due at once.
std::shared_ptr<Message> make_message(MessageId id, base::Time arrived, const Envelope& envelope);

}  // namespace pinnace::queue
