// One client of the socketmap server: its requests are answered in their order, those whose answer is ready
// at once, with one send for all that came together. On the server's thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "io/stream.hpp"
#include "policyd/answers.hpp"
#include "policyd/server.hpp"

namespace pinnace::policyd {

// What the connections share with their server.
struct Desk {
  const ServerSettings& settings;
  const base::Clock& clock;
  Answers& answers;
  // Sees to it that told() of the connection is called on this thread, for a request that has no answer yet.
  std::function<void(std::uint64_t connection, std::uint64_t request, Profile profile, std::string domain)>
      ask;

  struct Counts {
    std::atomic<std::uint64_t> requests{0}, ready{0}, looked_up{0}, timed_out{0}, refused{0};
  };
  Counts counts{};
  std::string input = std::string(16 << 10, '\0');  // what one read takes, until it is answered
  std::string reply{};
};

class Connection {
 public:
  Connection(Desk& desk, io::Loop& loop, io::Stream stream, std::uint64_t number);

  io::Task<void> run();
  void told(std::uint64_t request, std::string reply);  // a later one for the same request is ignored
  void check_time(io::Steady::time_point now);          // ends what waits for too long
  void finish();                                        // reads no more, ends when all is answered

 private:
  struct Waiting {
    io::Steady::time_point until;
    bool told = false;
    std::string reply;
  };

  void serve();
  bool takes_more() const;
  std::string_view read();
  void answer(std::string_view came);
  std::size_t take_requests(std::string_view input);
  void answer_one(std::string_view payload, base::Time now);
  void look_up(Profile profile, std::string_view name, base::Time now);
  void reply(std::string_view text);
  void send_told();
  void write();
  void refuse(std::string_view why);
  void wake();

  Desk& desk_;
  io::Stream stream_;
  io::Condition changed_;
  std::uint64_t number_;
  std::string left_;  // input that is no whole request yet, or came while enough others wait
  std::string out_;   // not sent yet, from sent_ on
  std::size_t sent_ = 0;
  std::deque<Waiting> waiting_;  // in the order of their requests, those behind one that is not told too
  std::uint64_t first_ = 0;      // the number of the request that is first in it
  io::Steady::time_point active_ = io::Steady::now();  // something was answered last
  bool more_ = false;                                  // left_ may begin with a whole request
  bool finishing_ = false;
  bool over_ = false;
};

}  // namespace pinnace::policyd
