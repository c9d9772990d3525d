// What a kind of failure means to who is responsible for the host, and what helps.
#pragma once

#include <string_view>

namespace pinnace::reporting {

struct Cause {
  std::string_view what;    // a sentence
  std::string_view likely;  // why it mostly is
  std::string_view remedy;  // what to do
};

// Also of a kind that is not known.
const Cause& cause_of(std::string_view kind);

}  // namespace pinnace::reporting
