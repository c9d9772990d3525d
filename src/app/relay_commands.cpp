#include "app/relay_commands.hpp"

#include <fmt/format.h>

namespace pinnace::app {
namespace json = boost::json;

io::Task<base::Result<json::value>> RelayCommands::run(json::object request) {
  const auto* named = request.if_contains("command");
  const std::string command = named && named->is_string() ? std::string(named->as_string()) : std::string();
  if (command == "queue.list") co_return queue_.list(request);
  if (command == "queue.show") co_return queue_.show(request);
  if (command == "queue.stats") co_return queue_.stats(request);
  if (command == "queue.row") co_return queue_.row(request);
  if (command == "queue.change") co_return co_await queue_.change(std::move(request));
  if (PolicyCommands::knows(command)) co_return co_await policies_.run(std::move(request));
  co_return base::fail("api.command", fmt::format("a relay does not know the command '{}'", command));
}

}  // namespace pinnace::app
