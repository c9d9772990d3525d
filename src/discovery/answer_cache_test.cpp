#include "discovery/answer_cache.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace pinnace::discovery {
namespace {

using namespace std::chrono_literals;

struct Number {
  int value = 0;
  base::Seconds ttl{};
  static bool failed(const Number& n) { return n.value < 0; }
};
using Cache = AnswerCache<Number>;

// As routes.cpp asks; `fails`: for want of memory, say.
io::Task<void> ask(Cache& cache, io::Timer& timer, bool fails, int& out) {
  const std::string key = "x.test";
  while (cache.loading(key)) co_await cache.loaded.wait();
  const auto turn = cache.begin(key);
  const bool elapsed = co_await timer.wait(1ms);
  if (fails) throw std::runtime_error("no memory");
  out = cache.end(key, {elapsed ? 7 : 0, 60s})->value;
}

TEST(AnswerCache, ALookupThatBreaksLeavesItsTurnToTheNext) {
  io::Loop loop;
  Cache cache(loop, Number::failed);
  io::Timer first(loop), second(loop);
  int of_first = 0, of_second = 0;
  loop.spawn(ask(cache, first, true, of_first));
  loop.spawn(ask(cache, second, false, of_second));
  EXPECT_TRUE(cache.loading("x.test"));
  loop.run();
  EXPECT_EQ(of_first, 0);
  EXPECT_EQ(of_second, 7) << "it does not wait for ever";
  EXPECT_FALSE(cache.loading("x.test"));
  ASSERT_TRUE(cache.fresh("x.test"));
  EXPECT_EQ(cache.fresh("x.test")->value, 7);
}

}  // namespace
}  // namespace pinnace::discovery
