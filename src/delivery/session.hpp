// One SMTP or LMTP session with one address of a mail host: connected, under TLS as the decision
// demands, verified before a word of mail is said.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "delivery/limits.hpp"
#include "delivery/problem.hpp"
#include "delivery/settings.hpp"
#include "io/stream.hpp"
#include "mime/transfer_encoding.hpp"
#include "queue/queue.hpp"
#include "smtp/client.hpp"
#include "smtp/dot.hpp"
#include "tls/session.hpp"
#include "tls/verify.hpp"

namespace pinnace::delivery {

// Those that rules name, by their fingerprints. Changed as the rules are.
using ClientCertificates = std::map<std::string, tls::OwnCertificate>;

// What sessions need that outlives them.
struct Tools {
  io::Loop& loop;
  const base::Clock& clock;
  const Settings& settings;
  tls::ClientContext tls;
  tls::TrustStore roots;
  std::shared_ptr<tls::SessionCache> resumable = nullptr;             // null: every handshake is a full one
  std::shared_ptr<ClientCertificates> client_certificates = nullptr;  // null: none
};

// Whom a session is with.
struct Peer {
  std::string host;  // as its certificate names it
  io::Endpoint at;
  smtp::Client::Protocol protocol = smtp::Client::Protocol::smtp;
  Limits::Held counted = nullptr;  // as a connection, until it is closed
};

class Session {
 public:
  Session(Tools& tools, std::shared_ptr<const policy::Decision> decision, Peer peer, std::string route = {});

  // Connects, says EHLO, takes TLS, resumed where the decision lets it, and verifies what the decision
  // requires. Where a session that was resumed does not satisfy it, tries once more with a full handshake;
  // where TLS is not required and fails, once more without.
  io::Task<Attempt<bool>> open();
  // The same once, for who wants to know: where TLS fails, tls_problem() says why.
  io::Task<Attempt<bool>> open_once();
  // One message. A reply for each recipient; or a problem of the whole session, after which it is
  // of no more use.
  io::Task<Attempt<std::vector<smtp::Reply>>> send(const queue::Queue& queue, const queue::Work& work);
  io::Task<void> quit();

  bool reusable() const;
  // It was not closed while it was kept: what is sent over a connection that is gone, a whole message with
  // BDAT perhaps, nobody answers, and then it may have been taken.
  bool alive() const { return stream_ && stream_->quiet(); }
  const policy::Decision& decision() const { return *decision_; }
  const smtp::Capabilities& capabilities() const { return client_->capabilities(); }
  bool connected() const { return client_ != nullptr; }  // else there are no capabilities
  const smtp::Capabilities& plain_capabilities() const { return client_->plain_capabilities(); }
  const tls::Handshake& handshake() const { return handshake_; }
  bool in_tls() const { return client_ && client_->in_tls(); }
  // TLS was offered and could not be had: why. Empty: there is TLS, or nothing was offered.
  std::string tls_problem() const;
  bool handshake_failed() const { return handshake_failure_.has_value(); }
  policy::Presented presented() const;
  bool webpki_valid() const { return webpki_valid_; }
  bool dane_valid() const;  // a TLSA record matched
  const std::string& host_name() const { return host_name_; }
  const Limits::Held& counted() const { return counted_; }
  std::string address() const { return local() ? at_.str() : at_.address.str(); }  // for people
  bool local() const { return !at_.unix_path.empty(); }
  // Nobody is behind the server who would tell the originator of a delivery: it keeps the mail, and sends no
  // notices of its own.
  bool final_delivery() const {
    return protocol_ == smtp::Client::Protocol::lmtp && !capabilities().has("DSN");
  }
  // Where the session is from: mail of another source has a session of its own.
  const std::vector<io::IpAddress>& sources() const { return sources_; }
  const std::string& verified_by() const { return verified_by_; }  // for the log
  std::string tls_text() const;  // for the log: "TLSv1.3/CIPHER", "TLSv1.3/CIPHER/resumed", "none"
  const std::vector<policy::Finding>& findings() const { return findings_; }
  std::size_t messages() const { return messages_; }
  std::set<std::string>& domains_learned() { return domains_learned_; }
  // The next session is not resumed from this one or any like it.
  void forget_tickets();

 private:
  io::Task<Attempt<bool>> try_open(smtp::Client::Tls tls);
  io::Task<Attempt<smtp::Client::Kind>> run();  // until ready, done or send_body
  io::Task<Attempt<bool>> take_tls();
  Attempt<tls::ClientHello> hello() const;
  Problem no_handshake(const base::Error& error);
  std::string resumption_key() const;
  std::optional<tls::KeptTicket> ticket_to_offer();
  void keep_tickets();
  Attempt<bool> verify();
  policy::Finding find(const policy::Requirement& requirement, base::Time now, std::string& by) const;
  Attempt<bool> check_offers();
  Attempt<bool> judged() const;
  void report(const policy::Verdict& verdict) const;
  Problem lost(const base::Error& error) const;
  Problem failed() const;
  // The text of a message, a row of the store at a time, as the host takes it.
  struct Text {
    const queue::Queue& queue;
    const queue::Message& message;
    std::uint32_t row;
    smtp::LineEnds lines;
    std::unique_ptr<mime::TransferConverter> converter;  // none: as it is stored

    Attempt<std::string> next();
    bool ended() const { return row >= message.chunks; }
  };
  io::Task<Attempt<bool>> convert(Text& text, mime::Transport to);
  io::Task<Attempt<bool>> send_text(Text& text);
  io::Task<Attempt<bool>> send_data(Text& text);
  io::Task<Attempt<bool>> send_chunk(Text& text);
  io::Task<Attempt<bool>> hear_out(base::Error error);

  Tools& tools_;
  std::shared_ptr<const policy::Decision> decision_;
  std::string host_name_;
  io::Endpoint at_;
  smtp::Client::Protocol protocol_;
  Limits::Held counted_;  // above stream_, which is closed first
  std::vector<io::IpAddress> sources_;
  std::unique_ptr<io::Stream> stream_;
  std::unique_ptr<smtp::Client> client_;
  tls::Handshake handshake_;
  base::Time proven_{};        // when the peer proved that it holds the leaf's key
  bool stale_ticket_ = false;  // the handshake that took one, or might have, came to nothing
  std::optional<base::Time> opened_;
  std::vector<policy::Finding> findings_;
  bool webpki_valid_ = false;
  std::optional<std::string> handshake_failure_;
  std::string verified_by_ = "nothing";
  std::size_t messages_ = 0;
  std::set<std::string> domains_learned_;
};

}  // namespace pinnace::delivery
