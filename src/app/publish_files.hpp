// Files that other programs read: always whole, the former or the new one.
#pragma once

#include <string>

#include "base/error.hpp"

namespace pinnace::app {

// For everybody to read. The folders above it are made. Error "app.file" names it.
base::Result<> write_public_file(const std::string& path, const std::string& text);

}  // namespace pinnace::app
