# Each outside library once, as an imported target. Only the folder that wraps a
# library links it (see layers.cmake).
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL 7.87 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RocksDB REQUIRED IMPORTED_TARGET rocksdb)
# Not through pkg-config: its file asks for development files that the library needs only when
# linked statically.
find_library(PINNACE_UNBOUND unbound REQUIRED)
find_library(PINNACE_ARGON2 argon2 REQUIRED)
find_library(PINNACE_CRYPT crypt REQUIRED)
pkg_check_modules(Idn2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(Seccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(Systemd REQUIRED IMPORTED_TARGET libsystemd)
if(PINNACE_TESTS)
  find_package(GTest REQUIRED)
endif()
