#include "app/service_answer.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "api/control.hpp"

namespace pinnace::app {
namespace json = boost::json;

int show_answer(const base::Result<json::value>& answer, bool as_json, const Show& show) {
  if (!answer) {
    std::fprintf(stderr, "pinnace: %s\n", answer.error().detail.c_str());
    return 1;
  }
  if (as_json) {
    fmt::print("{}\n", json::serialize(*answer));
  } else {
    show(*answer);
  }
  return 0;
}

int ask_and_show(const Service& service, const json::object& request, const Show& show) {
  return show_answer(api::ask(service.control, request), service.json, show);
}

std::string str(const json::value& object, std::string_view key) {
  const auto* v = object.as_object().if_contains(key);
  return v && v->is_string() ? std::string(v->as_string()) : v && !v->is_null() ? json::serialize(*v) : "-";
}

}  // namespace pinnace::app
