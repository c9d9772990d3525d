#include "tls/digest.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace pinnace::tls {

std::string sha256(std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(data.data(), data.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 cannot be had of OpenSSL");
  }
  return {reinterpret_cast<const char*>(digest), size};
}

}  // namespace pinnace::tls
