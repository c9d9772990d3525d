// The door for the operator's commands: a UNIX socket (mode 0600) that takes one JSON
// object a line and answers with one. Commands talk to the running service, never to
// its store behind its back.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "io/stream.hpp"

namespace pinnace::api {

// Gets the request ({"command": "queue.list", ...}), with the number of the user who asks as "peer_uid";
// gives the result.
using Handler = std::function<io::Task<base::Result<boost::json::value>>(boost::json::object request)>;

class ControlServer {
 public:
  ControlServer(io::Loop& loop, Handler handler);
  base::Result<> start(const std::string& path);
  void stop();

 private:
  io::Task<void> serve(std::shared_ptr<io::Stream> stream);
  io::Task<std::string> answer(std::string line, std::optional<std::uint32_t> user);

  io::Loop& loop_;
  Handler handler_;
  std::unique_ptr<io::Listener> listener_;
  std::size_t sessions_ = 0;
};

// The other side: asks a running service and waits for its answer, a minute at most. Errors: what the
// service answered; "api.control" where there is none.
base::Result<boost::json::value> ask(const std::string& path, const boost::json::object& request);

}  // namespace pinnace::api
