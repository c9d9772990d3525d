// Two ends of a connection on one loop, and files for them. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "io/stream.hpp"

namespace pinnace::tls::testing_sessions {

struct Folder {
  std::string path;
  Folder() {
    std::string name = testing::TempDir() + "pinnace_tls_XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
};

// Two ends of a connection on one loop; the client's is a Stream, the server's a descriptor.
struct Pair {
  Pair() {
    std::signal(SIGPIPE, SIG_IGN);
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    client = std::make_unique<io::Stream>(loop, fds[0], "the server");
    server = std::make_unique<io::Stream>(loop, fds[1], "the client");
    client->set_idle_timeout(std::chrono::seconds(5));
    server->set_idle_timeout(std::chrono::seconds(5));
  }
  io::Loop loop;
  std::unique_ptr<io::Stream> client, server;
};

// Every wait of the tasks has its own limit, so this ends.
inline io::Task<void> watch(io::Loop& loop, io::Timer& timer) {
  while (loop.tasks() > 1) {
    const bool elapsed = co_await timer.wait(std::chrono::milliseconds(1));
    if (!elapsed) break;
  }
  loop.stop();
}

inline void run_to_the_end(io::Loop& loop) {
  if (loop.tasks() == 0) return;
  io::Timer timer(loop);
  loop.spawn(watch(loop, timer));
  loop.run();
}

}  // namespace pinnace::tls::testing_sessions
