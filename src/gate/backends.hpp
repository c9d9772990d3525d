// The mail servers behind the gate, and which of them work.
#pragma once

#include <string>
#include <vector>

#include "gate/backend.hpp"

namespace pinnace::gate {

class Backends {
 public:
  struct One {
    io::Endpoint at;
    bool up = false;
    std::string why;                  // it is not up; empty: nobody has looked yet
    smtp::Capabilities capabilities;  // of its last EHLO reply
  };

  Backends(io::Loop& loop, const BackendSettings& settings);

  // Looks at those that are not up, now and then, until stop().
  io::Task<void> watch();
  void stop();

  // The next in turn that is up. Where none is they are looked at first. Null: there is none.
  io::Task<One*> choose();
  // A session with `first`, or with another that is up.
  io::Task<Backend::Opened> open(One* first, Client client, std::string client_name);
  // Its session broke off. Whether it still works is looked at.
  void failed(One& one, const std::string& why);

  const std::vector<One>& all() const { return all_; }

 private:
  struct Look;
  One* next();
  io::Task<void> look_at(One& one);
  void works(One& one, const smtp::Capabilities& capabilities);

  io::Loop& loop_;
  const BackendSettings& settings_;
  std::vector<One> all_;
  std::size_t turn_ = 0;
  io::Timer pause_;
  bool looking_ = false;                             // at all of them, as none is up
  std::optional<io::Steady::time_point> looked_at_;  // when that ended last
  io::Condition seen_;                               // its end
  bool stopping_ = false;
};

}  // namespace pinnace::gate
