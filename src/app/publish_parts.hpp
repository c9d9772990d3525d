// What the commands of `pinnace publish` share.
#pragma once

#include "app/publish_commands.hpp"
#include "publish/settings.hpp"

namespace pinnace::app {

// Says `what` on standard error; gives exit code 3.
int own_error(const std::string& what);

// The configuration with its keys, narrowed to the request's domains.
base::Result<publish::Settings> read_settings(const PublishRequest& request);
base::Result<base::Seconds> read_ttl(const PublishRequest& request);

}  // namespace pinnace::app
