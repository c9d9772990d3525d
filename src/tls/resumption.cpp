#include "tls/resumption.hpp"

#include <algorithm>

#include "tls/chain_impl.hpp"
#include "tls/resumption_impl.hpp"

namespace pinnace::tls {
namespace {

constexpr std::size_t kMaxChain = 10;         // certificates; nobody needs more
constexpr std::size_t kMaxOctets = 16 << 10;  // of a ticket with its chain; a larger one is not kept
constexpr std::size_t kMaxOfConnection = 4;   // tickets; the latest
constexpr std::size_t kMaxOfKey = 20;         // as many connections as a destination has
constexpr base::Seconds kMaxLifetime = std::chrono::days(7);

std::size_t octets(SSL_SESSION* session, const PeerChain& chain) {
  std::size_t all = 0;
  for (const auto& certificate : chain.impl().certificates)
    all += static_cast<std::size_t>(std::max(i2d_X509(certificate.get(), nullptr), 0));
  return all + static_cast<std::size_t>(std::max(i2d_SSL_SESSION(session, nullptr), 0));
}

bool worth_keeping(SSL* ssl, SSL_SESSION* session) {
  // RFC 8446 4.6.1: a lifetime of zero says that the ticket is to be discarded at once.
  const bool over = SSL_version(ssl) >= TLS1_3_VERSION && SSL_SESSION_get_ticket_lifetime_hint(session) == 0;
  return !over && SSL_SESSION_is_resumable(session) == 1;
}

int on_ticket(SSL* ssl, SSL_SESSION* session) {
  auto* to = static_cast<Tickets*>(SSL_get_app_data(ssl));
  if (!to || !worth_keeping(ssl, session)) return 0;
  auto impl = std::make_shared<Ticket::Impl>();
  impl->chain = presented_chain(ssl);
  const bool small = octets(session, impl->chain) <= kMaxOctets;
  ERR_clear_error();
  if (!small) return 0;
  impl->session.reset(session);
  if (to->arrived.size() == kMaxOfConnection) to->arrived.erase(to->arrived.begin());
  to->arrived.emplace_back(std::move(impl));
  return 1;  // it is ours now
}

}  // namespace

PeerChain presented_chain(SSL* ssl) {
  auto impl = std::make_shared<PeerChain::Impl>();
  STACK_OF(X509)* presented = SSL_get_peer_cert_chain(ssl);  // on the client's side with the leaf
  for (int i = 0; presented && i < sk_X509_num(presented) && impl->certificates.size() < kMaxChain; ++i) {
    X509* one = sk_X509_value(presented, i);
    X509_up_ref(one);
    impl->certificates.emplace_back(one);
  }
  return PeerChain(std::move(impl));
}

void take_tickets(SSL_CTX* context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_ticket);
}

void collect(SSL* ssl, Tickets* to) { SSL_set_app_data(ssl, to); }

bool resumption_is_safe(SSL* ssl) {
  // RFC 7627 5.3: without the extended master secret somebody in between can have two sessions share their
  // secrets, and resume one as the other. TLS 1.3 knows nothing else.
  return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

const PeerChain& Ticket::chain() const { return impl_->chain; }

base::Seconds Ticket::lifetime() const {
  // RFC 8446 4.6.1: seven days, whatever the server says. RFC 5077 3.3: zero leaves it to the client.
  const base::Seconds hint(SSL_SESSION_get_ticket_lifetime_hint(impl_->session.get()));
  return hint > base::Seconds(0) ? std::min(hint, kMaxLifetime) : kMaxLifetime;
}

bool Ticket::for_one_use() const {
  return SSL_SESSION_get_protocol_version(impl_->session.get()) >= TLS1_3_VERSION;
}

std::optional<KeptTicket> SessionCache::take(const std::string& key, base::Time now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  std::optional<KeptTicket> out;
  auto& of_key = found->second;
  while (!out && !of_key.empty()) {
    const Entries::iterator newest = of_key.back();
    of_key.pop_back();
    if (now < newest->until) out = std::move(newest->kept);
    entries_.erase(newest);
  }
  if (of_key.empty()) by_key_.erase(found);
  return out;
}

void SessionCache::drop_oldest(const std::string& key) {
  const auto found = by_key_.find(key);
  entries_.erase(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) by_key_.erase(found);
}

void SessionCache::keep(const std::string& key, KeptTicket ticket, base::Time now) {
  const base::Time until = std::min(ticket.proven + lifetime_, now + ticket.ticket.lifetime());
  if (until <= now || most_ == 0) return;
  if (const auto known = by_key_.find(key); known != by_key_.end() && known->second.size() >= kMaxOfKey)
    drop_oldest(key);
  if (entries_.size() >= most_) drop_oldest(std::string(entries_.front().key));
  entries_.push_back({key, std::move(ticket), until});
  by_key_[key].push_back(std::prev(entries_.end()));
}

void SessionCache::forget(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  for (const Entries::iterator& entry : found->second) entries_.erase(entry);
  by_key_.erase(found);
}

}  // namespace pinnace::tls
