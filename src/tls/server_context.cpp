#include "tls/server_context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "names/domain.hpp"
#include "tls/own_certificate_impl.hpp"
#include "tls/server_context_impl.hpp"

namespace pinnace::tls {
namespace {

std::optional<std::size_t> number(std::string_view& in, std::size_t octets) {
  if (in.size() < octets) return std::nullopt;
  std::size_t out = 0;
  for (std::size_t i = 0; i < octets; ++i) out = out << 8 | static_cast<unsigned char>(in[i]);
  in.remove_prefix(octets);
  return out;
}

// RFC 6066 3: a list of names, of which host_name (0) is the only kind there is. Empty: nothing that is a
// name.
std::string server_name_in(std::string_view extension) {
  const auto list = number(extension, 2);
  if (!list || *list != extension.size()) return {};
  const auto kind = number(extension, 1);
  const auto size = number(extension, 2);
  if (!kind || *kind != 0 || !size || *size > extension.size()) return {};
  const auto name = names::Domain::parse(extension.substr(0, *size));
  return name ? name->str() : std::string();
}

// RFC 6066 3: where the name is nobody's the handshake goes on, without an alert.
std::size_t choose(const ServerContext::Impl& of, const std::string& name) {
  const auto has = [&](const auto& matches) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < of.identities.size(); ++i) {
      if (matches(i)) return i;
    }
    return std::nullopt;
  };
  const auto exact = [&](const names::MxPattern& p) { return p.str() == name; };
  const auto wide = [&](const names::MxPattern& p) { return p.matches(name); };
  if (name.empty()) return 0;
  if (const auto i = has([&](std::size_t k) { return of.identities[k].hostname == name; })) return *i;
  if (const auto i = has([&](std::size_t k) { return std::ranges::any_of(of.names[k], exact); })) return *i;
  return has([&](std::size_t k) { return std::ranges::any_of(of.names[k], wide); }).value_or(0);
}

// Before OpenSSL looks for a session to resume, so that it looks under the identity's own session id context:
// a session never goes on under another's name (RFC 6066 3).
int on_client_hello(SSL* ssl, int*, void*) {
  auto* const to = static_cast<Chosen*>(SSL_get_app_data(ssl));
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  to->server_name.clear();
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) == 1)
    to->server_name = server_name_in({reinterpret_cast<const char*>(data), size});
  to->identity = choose(*to->of, to->server_name);
  SSL_set_SSL_CTX(ssl, to->of->contexts[to->identity].get());
  return SSL_CLIENT_HELLO_SUCCESS;
}

// Whose certificate it is nobody asks here: that the client has its key, the handshake shows.
int take_any_certificate(int, X509_STORE_CTX*) { return 1; }

// OpenSSL chooses among several certificates by what the client can verify.
CtxPtr context_of(const Identity& identity, std::size_t index, const ServerPolicy& policy) {
  CtxPtr made(SSL_CTX_new(TLS_server_method()));
  set_defaults(made.get());
  if (policy.modern_ciphers) SSL_CTX_set_cipher_list(made.get(), "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL");
  if (policy.ask_client_certificate) SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, take_any_certificate);
  const std::string own = fmt::format("pinnace {}", index);
  SSL_CTX_set_session_id_context(made.get(), reinterpret_cast<const unsigned char*>(own.data()),
                                 static_cast<unsigned int>(own.size()));
  SSL_CTX_set_client_hello_cb(made.get(), on_client_hello, nullptr);
  // load() has seen that each can be used.
  for (const OwnCertificate& certificate : identity.certificates) use(made.get(), certificate);
  return made;
}

std::vector<names::MxPattern> names_of(const Identity& identity) {
  std::vector<names::MxPattern> out;
  for (const OwnCertificate& certificate : identity.certificates) {
    for (const std::string& name : certificate.chain().dns_names()) {
      if (const auto pattern = names::MxPattern::parse(name)) out.push_back(*pattern);
    }
  }
  return out;
}

std::shared_ptr<const ServerContext::Impl> make(std::vector<Identity> identities, ServerPolicy policy) {
  auto made = std::make_shared<ServerContext::Impl>();
  for (std::size_t i = 0; i < identities.size(); ++i) {
    made->contexts.push_back(context_of(identities[i], i, policy));
    made->names.push_back(names_of(identities[i]));
  }
  made->identities = std::move(identities);
  made->policy = policy;
  return made;
}

}  // namespace

void choose_into(SSL* ssl, Chosen* to) { SSL_set_app_data(ssl, to); }

ServerContext::ServerContext(OwnCertificate certificate)
    : impl_(make({Identity{{}, {std::move(certificate)}}}, {})) {}

base::Result<ServerContext> ServerContext::load(const std::string& certificate_file,
                                                const std::string& key_file) {
  auto own = OwnCertificate::load(certificate_file, key_file);
  if (!own) return std::unexpected(own.error());
  return ServerContext(std::move(*own));
}

base::Result<ServerContext> ServerContext::of(std::vector<Identity> identities, ServerPolicy policy) {
  for (const Identity& identity : identities) {
    std::vector<std::string> seen;
    for (const OwnCertificate& certificate : identity.certificates) {
      const std::string algorithm = certificate.key_algorithm();
      if (std::ranges::find(seen, algorithm) != seen.end()) {
        return base::fail(
            "tls.certificate",
            fmt::format("{} has two certificates with {} keys: one for each algorithm can be shown",
                        identity.hostname, algorithm));
      }
      seen.push_back(algorithm);
    }
  }
  return ServerContext(make(std::move(identities), policy));
}

const std::vector<Identity>& ServerContext::identities() const { return impl_->identities; }

const PeerChain& ServerContext::chain() const {
  return impl_->identities.front().certificates.front().chain();
}

std::size_t ServerContext::identity_for(const std::string& server_name) const {
  return choose(*impl_, server_name);
}

// OpenSSL makes a context's ticket keys at random with it.
ServerContext ServerContext::with_new_ticket_keys() const {
  return ServerContext(make(impl_->identities, impl_->policy));
}

}  // namespace pinnace::tls
