#include "tls/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "tls/certificate_fixture.hpp"
#include "tls/session_fixture.hpp"

namespace pinnace::tls {
namespace {

using namespace std::chrono_literals;
using namespace testing_certificates;
using namespace testing_sessions;
using testing::HasSubstr;

io::Task<void> connect_client(io::Stream& stream, base::Result<Handshake>& out, std::string& heard) {
  out = co_await start_client(stream, ClientContext(), {"mx.x.test", {}});
  if (!out) {
    stream.close();
    co_return;
  }
  const auto sent = co_await stream.write_all("ahoy");
  EXPECT_TRUE(sent);
  char buffer[16];
  const auto n = co_await stream.read_some(buffer, sizeof buffer);
  if (n) heard.assign(buffer, *n);
}

io::Task<void> serve(io::Stream& stream, ServerContext context, Handshakes& handshakes,
                     base::Result<Handshake>& out) {
  out = co_await start_server(stream, context, handshakes);
  if (!out) co_return;
  char buffer[16];
  const auto n = co_await stream.read_some(buffer, sizeof buffer);
  if (!n) co_return;
  const std::string back(buffer, *n);
  const auto sent = co_await stream.write_all(back);
  EXPECT_TRUE(sent);
}

TEST(Session, HandshakeThenBytesBothWays) {
  const Folder folder;
  const Certificate root = make({"Root", "", true});
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"}, &root);
  const auto context = ServerContext::load(folder.write("cert.pem", leaf.pem() + root.pem()),
                                           folder.write("key.pem", leaf.key_pem()));
  ASSERT_TRUE(context) << context.error().detail;
  EXPECT_EQ(context->chain().pins(), (std::vector<pins::Pin>{leaf.pin(), root.pin()}));
  Pair pair;
  base::Result<Handshake> client = base::fail("x", ""), server = base::fail("x", "");
  std::string heard;
  Handshakes handshakes(pair.loop);
  pair.loop.spawn(serve(*pair.server, *context, handshakes, server));
  pair.loop.spawn(connect_client(*pair.client, client, heard));
  run_to_the_end(pair.loop);
  ASSERT_TRUE(client) << client.error().detail;
  ASSERT_TRUE(server) << server.error().detail;
  EXPECT_EQ(heard, "ahoy");
  EXPECT_EQ(client->version, "TLSv1.3");
  EXPECT_FALSE(client->cipher.empty());
  EXPECT_EQ(client->chain.pins(), (std::vector<pins::Pin>{leaf.pin(), root.pin()}));
}

// A server of plain OpenSSL, so that it can misbehave: what does the client say of it?
io::Task<void> run_server(io::Stream& stream, SSL* ssl) {
  for (;;) {
    const int done = SSL_accept(ssl);
    if (done == 1) co_return;
    const int why = SSL_get_error(ssl, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      ERR_clear_error();
      co_return;
    }
    const auto state =
        why == SSL_ERROR_WANT_READ ? io::Transport::State::want_read : io::Transport::State::want_write;
    stream.socket().not_now(state);
    const auto waited = co_await stream.wait(state);
    if (!waited) co_return;
  }
}

io::Task<void> shake_only(io::Stream& stream, base::Result<Handshake>& out) {
  out = co_await start_client(stream, ClientContext(), {"mx.x.test", {}});
  stream.close();
}

base::Result<Handshake> shake_with(SSL_CTX* context) {
  Pair pair;
  const SslPtr ssl(SSL_new(context));
  SSL_set_fd(ssl.get(), pair.server->socket().fd());
  base::Result<Handshake> out = base::fail("x", "");
  pair.loop.spawn(run_server(*pair.server, ssl.get()));
  pair.loop.spawn(shake_only(*pair.client, out));
  run_to_the_end(pair.loop);
  return out;
}

// The victim's public point with a private key of our own: OpenSSL takes it for the certificate's.
KeyPtr stolen_face(EVP_PKEY* victim) {
  const KeyPtr own(EVP_EC_gen("P-256"));
  BIGNUM* scalar = nullptr;
  EVP_PKEY_get_bn_param(own.get(), OSSL_PKEY_PARAM_PRIV_KEY, &scalar);
  unsigned char point[133];
  std::size_t size = 0;
  EVP_PKEY_get_octet_string_param(victim, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size);
  OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar);
  OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, size);
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX* ctx = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(ctx);
  EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
  EVP_PKEY_CTX_free(ctx);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  BN_clear_free(scalar);
  return KeyPtr(key);
}

CtxPtr server_context(X509* certificate, EVP_PKEY* key) {
  CtxPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_use_certificate(context.get(), certificate);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key), 1);
  return context;
}

// pinning-protocol 2: a certificate replayed without its key must fail, in either version of TLS.
TEST(Session, ReplayedCertificateWithoutItsKeyFails) {
  const Certificate victim = make({"leaf", "DNS:mx.x.test"});
  const KeyPtr key = stolen_face(victim.key.get());
  ASSERT_TRUE(key);
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    const CtxPtr context = server_context(victim.x509.get(), key.get());
    SSL_CTX_set_max_proto_version(context.get(), version);
    const auto out = shake_with(context.get());
    ASSERT_FALSE(out);
    EXPECT_THAT(out.error().detail, HasSubstr("could not prove that it holds the key"));
  }
  const CtxPtr honest = server_context(victim.x509.get(), victim.key.get());
  EXPECT_TRUE(shake_with(honest.get())) << "the same server with the true key";
}

int keep_server_name(SSL* ssl, int*, void* to) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  *static_cast<std::string*>(to) = name ? name : "";
  return SSL_TLSEXT_ERR_OK;
}

// RFC 7672 8.1, RFC 8461 7.1
TEST(Session, TheServerIsToldTheNameAskedFor) {
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"});
  const CtxPtr context = server_context(leaf.x509.get(), leaf.key.get());
  std::string heard = "nothing";
  SSL_CTX_set_tlsext_servername_callback(context.get(), keep_server_name);
  SSL_CTX_set_tlsext_servername_arg(context.get(), &heard);
  ASSERT_TRUE(shake_with(context.get()));
  EXPECT_EQ(heard, "mx.x.test");
}

TEST(Session, OldTlsAndAnonymousCiphersAreRefused) {
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"});
  const CtxPtr old = server_context(leaf.x509.get(), leaf.key.get());
  SSL_CTX_set_min_proto_version(old.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_1_VERSION);
  SSL_CTX_set_security_level(old.get(), 0);
  EXPECT_FALSE(shake_with(old.get()));

  const CtxPtr anonymous(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_max_proto_version(anonymous.get(), TLS1_2_VERSION);
  SSL_CTX_set_security_level(anonymous.get(), 0);
  SSL_CTX_set_cipher_list(anonymous.get(), "aNULL");
  SSL_CTX_set_dh_auto(anonymous.get(), 1);
  EXPECT_FALSE(shake_with(anonymous.get()));
}

base::Result<Handshake> shake_with_bytes(const std::string& bytes, bool close_after) {
  Pair pair;
  pair.client->set_idle_timeout(100ms);
  EXPECT_EQ(::send(pair.server->socket().fd(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  if (close_after) pair.server->close();
  base::Result<Handshake> out = base::fail("x", "");
  pair.loop.spawn(shake_only(*pair.client, out));
  run_to_the_end(pair.loop);
  return out;
}

TEST(Session, GarbageSilenceAndAnEarlyEndAreErrors) {
  EXPECT_EQ(shake_with_bytes("250 this is no ServerHello\r\n", false).error().code, "tls.handshake");
  EXPECT_EQ(shake_with_bytes("", false).error().code, "io.timeout");
  EXPECT_FALSE(shake_with_bytes("", true));
}

TEST(ServerContext, WhatCannotBeUsedIsNamed) {
  const Folder folder;
  const Certificate leaf = make({"leaf", "DNS:mx.x.test"}), other = make({"other", ""});
  const std::string certificate = folder.write("cert.pem", leaf.pem());
  const std::string key = folder.write("key.pem", leaf.key_pem());
  const BioPtr locked(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(locked.get(), leaf.key.get(), EVP_aes_128_cbc(),
                           reinterpret_cast<const unsigned char*>("secret"), 6, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(locked.get(), &data);
  const struct {
    std::string certificate, key;
    const char* says;
  } cases[] = {
      {folder.path + "/absent.pem", key, "absent.pem"},
      {certificate, folder.path + "/absent.key", "absent.key"},
      {folder.write("garbage.pem", "garbage"), key, "garbage.pem"},
      {certificate, folder.write("garbage.key", "garbage"), "garbage.key"},
      {certificate, folder.write("other.key", other.key_pem()), "other.key"},
      {certificate, folder.write("locked.key", std::string(data, static_cast<std::size_t>(size))),
       "passphrase"},
  };
  for (const auto& c : cases) {
    const auto loaded = ServerContext::load(c.certificate, c.key);
    ASSERT_FALSE(loaded) << c.says;
    EXPECT_THAT(loaded.error().detail, HasSubstr(c.says));
  }
  EXPECT_TRUE(ServerContext::load(certificate, key));
}

TEST(PinOfFile, PrivateKeyPublicKeyOrCertificate) {
  const Folder folder;
  const Certificate leaf = make({"leaf", ""});
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(out.get(), leaf.key.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  for (const std::string& file : {folder.write("a.pem", leaf.pem()), folder.write("a.key", leaf.key_pem()),
                                  folder.write("a.pub", std::string(data, static_cast<std::size_t>(size)))}) {
    const auto pin = pin_of_file(file);
    ASSERT_TRUE(pin) << pin.error().detail;
    EXPECT_EQ(*pin, leaf.pin());
  }
  EXPECT_THAT(pin_of_file(folder.write("b", "x")).error().detail, HasSubstr("/b"));
}

}  // namespace
}  // namespace pinnace::tls
