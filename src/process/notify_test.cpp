#include "process/notify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace pinnace::process {
namespace {

// systemd's end: a datagram socket.
class Supervisor : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "pinnace_notify_XXXXXX").string();
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    folder_ = made;
    const std::string path = folder_ + "/notify";
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Supervisor() override {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::close(socket_);
    std::filesystem::remove_all(folder_);
  }
  // "" when nothing came.
  std::string told() const {
    char buffer[512];
    const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
  }
  std::string folder_;
  int socket_ = -1;
};

TEST_F(Supervisor, IsToldEachStep) {
  notify_ready();
  EXPECT_EQ(told(), "READY=1");
  notify_reloading();
  EXPECT_THAT(told(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
  notify_stopping();
  EXPECT_EQ(told(), "STOPPING=1");
  EXPECT_EQ(told(), "");
}

TEST_F(Supervisor, HearsOfTheLoopAsLongAsItTurns) {
  ::setenv("WATCHDOG_USEC", "30000", 1);
  io::Loop loop;
  int asked = 0;
  loop.spawn(keep_alive(loop, [&] {
    if (++asked == 3) loop.stop();
    return "3 queued";
  }));
  EXPECT_EQ(told(), "WATCHDOG=1\nSTATUS=3 queued");
  EXPECT_EQ(told(), "") << "a loop that does not turn tells nothing";
  const auto began = io::Steady::now();
  loop.run();
  EXPECT_LT(io::Steady::now() - began, std::chrono::seconds(5));
  EXPECT_EQ(told(), "WATCHDOG=1\nSTATUS=3 queued");
  loop.drop_tasks();
}

TEST_F(Supervisor, ThatIsNotThereIsNotWaitedFor) {
  ::unsetenv("NOTIFY_SOCKET");
  io::Loop loop;
  loop.spawn(keep_alive(loop, [] { return "unasked"; }));
  EXPECT_EQ(loop.tasks(), 0u);
}

}  // namespace
}  // namespace pinnace::process
