#include "tls/resumption.hpp"

#include <gtest/gtest.h>

#include "tls/certificate_fixture.hpp"
#include "tls/session.hpp"
#include "tls/session_fixture.hpp"

namespace pinnace::tls {
namespace {

using namespace std::chrono_literals;
using namespace testing_certificates;
using namespace testing_sessions;

const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

// A server of plain OpenSSL, so that it can be of any kind. Says a word, behind which its tickets are there.
io::Task<void> serve(io::Stream& stream, SSL* ssl) {
  for (;;) {
    const int done = SSL_accept(ssl);
    if (done == 1) break;
    const int why = SSL_get_error(ssl, done);
    ERR_clear_error();
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) co_return;
    const auto state =
        why == SSL_ERROR_WANT_READ ? io::Transport::State::want_read : io::Transport::State::want_write;
    stream.socket().not_now(state);
    const auto waited = co_await stream.wait(state);
    if (!waited) co_return;
  }
  SSL_write(ssl, "x", 1);
}

io::Task<void> connect(io::Stream& stream, ClientHello hello, base::Result<Handshake>& out) {
  out = co_await start_client(stream, ClientContext(), std::move(hello));
  if (!out) co_return;
  char buffer[8];
  const auto n = co_await stream.read_some(buffer, sizeof buffer);
  EXPECT_TRUE(n && *n == 1);
  stream.close();
}

base::Result<Handshake> shake(SSL_CTX* server, std::optional<Ticket> resume = std::nullopt) {
  Pair pair;
  const SslPtr ssl(SSL_new(server));
  SSL_set_fd(ssl.get(), pair.server->socket().fd());
  base::Result<Handshake> out = base::fail("x", "");
  pair.loop.spawn(serve(*pair.server, ssl.get()));
  pair.loop.spawn(connect(*pair.client, {"mx.x.test", std::move(resume)}, out));
  run_to_the_end(pair.loop);
  return out;
}

CtxPtr server_of(const Certificate& leaf, int version) {
  CtxPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_use_certificate(context.get(), leaf.x509.get());
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), leaf.key.get()), 1);
  SSL_CTX_set_max_proto_version(context.get(), version);
  return context;
}

class Resumption : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Versions, Resumption, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(Resumption, AResumedSessionHasTheChainOfItsFullHandshake) {
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"}), renewed = make({"new", "DNS:mx.x.test"});
  const CtxPtr server = server_of(leaf, GetParam());
  const auto first = shake(server.get());
  ASSERT_TRUE(first) << first.error().detail;
  EXPECT_FALSE(first->resumed);
  ASSERT_FALSE(first->tickets->arrived.empty());
  EXPECT_EQ(first->tickets->arrived.back().for_one_use(), GetParam() == TLS1_3_VERSION);
  // Its certificate is another by now, and a resumed session does not show it.
  SSL_CTX_use_certificate(server.get(), renewed.x509.get());
  SSL_CTX_use_PrivateKey(server.get(), renewed.key.get());
  const auto second = shake(server.get(), first->tickets->arrived.back());
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_TRUE(second->resumed);
  EXPECT_EQ(second->chain.pins(), std::vector<pins::Pin>{leaf.pin()});
  // What comes with it carries the same chain on.
  for (const Ticket& ticket : second->tickets->arrived) EXPECT_EQ(ticket.chain().pins(), first->chain.pins());
  EXPECT_EQ(shake(server.get())->chain.pins(), std::vector<pins::Pin>{renewed.pin()}) << "in full";
}

TEST_P(Resumption, WhoDoesNotHoldTheTicketsKeyHasToProveHisOwn) {
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"}), other = make({"other", "DNS:mx.x.test"});
  const auto first = shake(server_of(leaf, GetParam()).get());
  ASSERT_TRUE(first);
  const auto second = shake(server_of(other, GetParam()).get(), first->tickets->arrived.back());
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->resumed);
  EXPECT_EQ(second->chain.pins(), std::vector<pins::Pin>{other.pin()});
}

io::Task<void> serve_ours(io::Stream& stream, ServerContext context, Handshakes& handshakes) {
  const auto done = co_await start_server(stream, context, handshakes);
  EXPECT_TRUE(done);
  const auto said = co_await stream.write_all("x");
  EXPECT_TRUE(said);
}

base::Result<Handshake> shake_with_ours(const ServerContext& server,
                                        std::optional<Ticket> resume = std::nullopt) {
  Pair pair;
  base::Result<Handshake> out = base::fail("x", "");
  Handshakes handshakes(pair.loop);
  pair.loop.spawn(serve_ours(*pair.server, server, handshakes));
  pair.loop.spawn(connect(*pair.client, {"mx.x.test", std::move(resume)}, out));
  run_to_the_end(pair.loop);
  return out;
}

TEST(ResumptionByOurListener, EndsWithItsTicketKeys) {
  const Folder folder;
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"});
  const auto server =
      ServerContext::load(folder.write("cert.pem", leaf.pem()), folder.write("key.pem", leaf.key_pem()));
  ASSERT_TRUE(server) << server.error().detail;
  const auto first = shake_with_ours(*server);
  ASSERT_TRUE(first && !first->tickets->arrived.empty());
  EXPECT_TRUE(shake_with_ours(*server, first->tickets->arrived.back())->resumed);
  const auto later = shake_with_ours(server->with_new_ticket_keys(), first->tickets->arrived.front());
  ASSERT_TRUE(later) << later.error().detail;
  EXPECT_FALSE(later->resumed);
  EXPECT_EQ(later->chain.pins(), std::vector<pins::Pin>{leaf.pin()});
}

// RFC 7627 5.3
TEST(ResumptionOfTls12, WithoutTheExtendedMasterSecretNothingIsKept) {
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"});
  const CtxPtr server = server_of(leaf, TLS1_2_VERSION);
  SSL_CTX_set_options(server.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  const auto first = shake(server.get());
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->tickets->arrived.empty());
}

TEST(ResumptionOfTls13, ThePeersTicketsAreBounded) {
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"});
  const CtxPtr server = server_of(leaf, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(server.get(), 100);
  const auto first = shake(server.get());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->tickets->arrived.size(), 4u);
}

class Cache : public testing::Test {
 protected:
  Cache() {
    const CtxPtr server = server_of(make({"leaf", "DNS:mx.x.test"}), TLS1_3_VERSION);
    const auto made = shake(server.get());
    EXPECT_TRUE(made);
    ticket.emplace(made->tickets->arrived.back());
  }
  KeptTicket proven(base::Time at) const { return {*ticket, at}; }
  std::optional<Ticket> ticket;
};

TEST_F(Cache, ATicketIsTakenOnceTheNewestFirstAndUnderItsKeyOnly) {
  SessionCache cache(1h);
  cache.keep("a", proven(kNow), kNow);
  cache.keep("a", proven(kNow + 1s), kNow + 1s);
  EXPECT_FALSE(cache.take("b", kNow + 1s));
  EXPECT_EQ(cache.take("a", kNow + 1s)->proven, kNow + 1s);
  EXPECT_EQ(cache.take("a", kNow + 1s)->proven, kNow);
  EXPECT_FALSE(cache.take("a", kNow + 1s));
  EXPECT_EQ(cache.size(), 0u);
}

// RFC 8446 4.6.1: from the proof of the key, not from the ticket's own beginning.
TEST_F(Cache, NothingIsResumedLongAfterTheProof) {
  SessionCache cache(1h);
  cache.keep("a", proven(kNow), kNow + 59min);
  EXPECT_TRUE(cache.take("a", kNow + 59min));
  cache.keep("a", proven(kNow), kNow + 59min);
  EXPECT_FALSE(cache.take("a", kNow + 60min));
  cache.keep("a", proven(kNow), kNow + 60min);
  EXPECT_EQ(cache.size(), 0u) << "over when it came";
  SessionCache none(0s);
  none.keep("a", proven(kNow), kNow);
  EXPECT_EQ(none.size(), 0u);
  // OpenSSL's server gives its tickets two hours.
  SessionCache week(std::chrono::days(7));
  week.keep("a", proven(kNow), kNow);
  EXPECT_FALSE(week.take("a", kNow + ticket->lifetime()));
}

TEST_F(Cache, OfTooManyTheOldestGo) {
  SessionCache cache(1h, 3);
  for (const char* key : {"a", "b", "c", "d"}) cache.keep(key, proven(kNow), kNow);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_FALSE(cache.take("a", kNow));
  EXPECT_TRUE(cache.take("b", kNow));
  SessionCache large(1h);
  for (int i = 0; i < 100; ++i) large.keep("a", proven(kNow + base::Seconds(i)), kNow);
  EXPECT_EQ(large.size(), 20u) << "of one key";
  EXPECT_EQ(large.take("a", kNow)->proven, kNow + 99s);
  large.forget("a");
  EXPECT_EQ(large.size(), 0u);
}

}  // namespace
}  // namespace pinnace::tls
