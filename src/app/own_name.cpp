#include "app/own_name.hpp"

#include <unistd.h>

#include "names/domain.hpp"

namespace pinnace::app {

std::string own_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "localhost";
  const auto parsed = names::Domain::parse(name);
  return parsed ? parsed->str() : "localhost";
}

}  // namespace pinnace::app
