#include "tls/server_context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/certificate_fixture.hpp"
#include "tls/session.hpp"
#include "tls/session_fixture.hpp"

namespace pinnace::tls {
namespace {

using namespace testing_certificates;
using namespace testing_sessions;
using testing::HasSubstr;

using SessionPtr = std::unique_ptr<SSL_SESSION, Deleter<SSL_SESSION_free>>;

OwnCertificate own(const Folder& folder, const Certificate& c) {
  return OwnCertificate::load(folder.write("cert.pem", c.pem()), folder.write("key.pem", c.key_pem()))
      .value();
}

// A client of plain OpenSSL, as others may be set up.
struct Asks {
  std::string server_name;
  int version = TLS1_3_VERSION;
  std::string signature_algorithms;
  SSL_SESSION* resume = nullptr;
};

struct Seen {
  bool ok = false;
  pins::Pin shown;
  bool resumed = false;
  SessionPtr session;
  base::Result<Handshake> server = base::fail("x", "");
};

io::Task<bool> wait_for(io::Stream& stream, SSL* ssl, int result) {
  const int why = SSL_get_error(ssl, result);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) co_return false;
  const auto state =
      why == SSL_ERROR_WANT_READ ? io::Transport::State::want_read : io::Transport::State::want_write;
  stream.socket().not_now(state);
  const auto waited = co_await stream.wait(state);
  co_return waited.has_value();
}

io::Task<void> connect(io::Stream& stream, SSL* ssl, Seen& seen) {
  for (;;) {
    const int done = SSL_connect(ssl);
    if (done == 1) break;
    const bool goes_on = co_await wait_for(stream, ssl, done);
    if (!goes_on) co_return stream.close();
  }
  char octet = 0;
  for (;;) {  // tickets of TLS 1.3 come before it
    const int n = SSL_read(ssl, &octet, 1);
    if (n == 1) break;
    const bool goes_on = co_await wait_for(stream, ssl, n);
    if (!goes_on) co_return stream.close();
  }
  seen.ok = true;
  const X509Ptr leaf(SSL_get1_peer_certificate(ssl));
  seen.shown = spki_pin(leaf.get());
  seen.resumed = SSL_session_reused(ssl) == 1;
  seen.session.reset(SSL_get1_session(ssl));
  SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // so that the session stays good
}

io::Task<void> serve(io::Stream& stream, ServerContext context, Handshakes& handshakes, Seen& seen) {
  seen.server = co_await start_server(stream, context, handshakes);
  if (!seen.server) co_return stream.close();
  const auto sent = co_await stream.write_all("x");
  EXPECT_TRUE(sent);
}

Seen ask(const ServerContext& server, const Asks& asks) {
  const CtxPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(context.get(), asks.version);
  if (!asks.signature_algorithms.empty())
    EXPECT_EQ(SSL_CTX_set1_sigalgs_list(context.get(), asks.signature_algorithms.c_str()), 1);
  const SslPtr ssl(SSL_new(context.get()));
  if (!asks.server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), asks.server_name.c_str());
  if (asks.resume) SSL_set_session(ssl.get(), asks.resume);
  Seen seen;
  Pair pair;
  SSL_set_fd(ssl.get(), pair.client->socket().fd());
  Handshakes handshakes(pair.loop);
  pair.loop.spawn(serve(*pair.server, server, handshakes, seen));
  pair.loop.spawn(connect(*pair.client, ssl.get(), seen));
  run_to_the_end(pair.loop);
  ERR_clear_error();
  return seen;
}

// RFC 6066 3, RFC 8461 7.1, RFC 7672 8.1: whoever asks for a name is shown its certificate; who asks for
// none, or for one that is nobody's, the first.
TEST(ServerContext, TheNameAskedForChooses) {
  const Folder folder;
  const Certificate first = make({"first", "DNS:mx.a.test"}),
                    second = make({"second", "DNS:mx.b.test,DNS:other.b.test"}),
                    wild = make({"wild", "DNS:*.b.test"}), by_hostname = make({"plain", ""});
  const auto context = ServerContext::of({{"mx.a.test", {own(folder, first)}},
                                          {"wild.b.test", {own(folder, wild)}},
                                          {"mx.b.test", {own(folder, second)}},
                                          {"mx.c.test", {own(folder, by_hostname)}}});
  ASSERT_TRUE(context) << context.error().detail;
  const struct {
    const char* asked;
    const Certificate& shown;
    std::size_t identity;
    const char* heard;
  } cases[] = {
      {"mx.a.test", first, 0, "mx.a.test"},
      {"MX.B.Test", second, 2, "mx.b.test"},
      {"other.b.test", second, 2, "other.b.test"},  // a name in full comes before a wildcard
      {"any.b.test", wild, 1, "any.b.test"},
      {"two.labels.b.test", first, 0, "two.labels.b.test"},  // RFC 6125 6.4.3: "*" is one label
      {"b.test", first, 0, "b.test"},
      {"mx.c.test", by_hostname, 3, "mx.c.test"},
      {"nobody.test", first, 0, "nobody.test"},
      {"not a name", first, 0, ""},
      {"", first, 0, ""},
  };
  for (const auto& c : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const Seen seen = ask(*context, {c.asked, version, {}, nullptr});
      ASSERT_TRUE(seen.ok) << c.asked;
      EXPECT_EQ(seen.shown, c.shown.pin()) << c.asked;
      EXPECT_EQ(seen.server->identity, c.identity) << c.asked;
      EXPECT_EQ(seen.server->server_name, c.heard) << c.asked;
    }
  }
}

TEST(ServerContext, RsaAndEcdsaSideBySide) {
  const Folder folder;
  const Certificate rsa = make({"rsa", "DNS:mx.a.test", false, -kDay, kDay, 2048}),
                    ec = make({"ec", "DNS:mx.a.test"});
  const auto context = ServerContext::of({{"mx.a.test", {own(folder, rsa), own(folder, ec)}}});
  ASSERT_TRUE(context) << context.error().detail;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Seen by_rsa = ask(*context, {"mx.a.test", version, "RSA-PSS+SHA256:RSA+SHA256", nullptr});
    ASSERT_TRUE(by_rsa.ok);
    EXPECT_EQ(by_rsa.shown, rsa.pin());
    const Seen by_ecdsa = ask(*context, {"mx.a.test", version, "ECDSA+SHA256", nullptr});
    ASSERT_TRUE(by_ecdsa.ok);
    EXPECT_EQ(by_ecdsa.shown, ec.pin());
  }
  const auto twice = ServerContext::of({{"mx.a.test", {own(folder, ec), own(folder, make({"ec", ""}))}}});
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().detail, HasSubstr("mx.a.test has two certificates with EC keys"));
}

// RFC 6066 3: a session is not resumed under another name than its own.
TEST(ServerContext, ASessionIsResumedUnderItsOwnIdentityOnly) {
  const Folder folder;
  const Certificate a = make({"a", "DNS:mx.a.test"}), b = make({"b", "DNS:mx.b.test"});
  const auto context =
      ServerContext::of({{"mx.a.test", {own(folder, a)}}, {"mx.b.test", {own(folder, b)}}}).value();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Seen first = ask(context, {"mx.b.test", version, {}, nullptr});
    ASSERT_TRUE(first.ok);
    const Seen other = ask(context, {"mx.a.test", version, {}, first.session.get()});
    ASSERT_TRUE(other.ok);
    EXPECT_FALSE(other.resumed);
    EXPECT_EQ(other.shown, a.pin());
    const Seen again = ask(context, {"mx.b.test", version, {}, first.session.get()});
    ASSERT_TRUE(again.ok);
    EXPECT_TRUE(again.resumed);
    EXPECT_EQ(again.server->identity, 1u);
    EXPECT_EQ(again.server->server_name, "mx.b.test");
    const Seen later = ask(context.with_new_ticket_keys(), {"mx.b.test", version, {}, first.session.get()});
    ASSERT_TRUE(later.ok);
    EXPECT_FALSE(later.resumed);
  }
}

}  // namespace
}  // namespace pinnace::tls
