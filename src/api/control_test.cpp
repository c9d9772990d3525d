#include "api/control.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <stdexcept>

namespace pinnace::api {
namespace {

using namespace std::chrono_literals;

io::Task<base::Result<boost::json::value>> ahoy(boost::json::object request) {
  if (request["command"] == "throw") throw std::runtime_error("a bug");
  co_return boost::json::value("ahoy");
}

struct Control {
  std::string folder = testing::TempDir() + "control-" + std::to_string(::getpid());
  io::Loop loop;
  std::optional<ControlServer> server;

  Control() {
    std::filesystem::create_directories(folder);
    server.emplace(loop, ahoy);
    EXPECT_TRUE(server->start(path()));
  }
  ~Control() {
    loop.drop_tasks();
    server.reset();
    std::filesystem::remove_all(folder);
  }
  std::string path() const { return folder + "/control.sock"; }

  static io::Task<void> talk(Control& self, std::string line, std::string& said) {
    io::Endpoint at;
    at.unix_path = self.path();
    auto stream = co_await io::connect(self.loop, at, 5s);
    if (stream) {
      stream->set_idle_timeout(5s);
      const auto sent = co_await stream->write_all(line);
      char buffer[256];
      const auto n = co_await stream->read_some(buffer, sizeof buffer);
      if (sent && n) said.assign(buffer, *n);
    }
    self.loop.stop();
  }
  std::string ask(const std::string& command) {
    std::string said;
    loop.spawn(talk(*this, "{\"command\":\"" + command + "\"}\n", said));
    loop.run();
    return said;
  }
};

TEST(ControlServer, CommandsThatEndInABugLeaveRoomForOthers) {
  Control control;
  for (int i = 0; i < 40; ++i) EXPECT_EQ(control.ask("throw"), "");
  EXPECT_EQ(control.ask("x"), "{\"result\":\"ahoy\"}\n");
}

}  // namespace
}  // namespace pinnace::api
