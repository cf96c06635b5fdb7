// The SIMD level is chosen once, whichever thread asks for it first.
#include "tersegrad/core/simd/isa.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <latch>
#include <thread>
#include <vector>

namespace terse {
namespace {

constexpr int kThreads = 4;

[[noreturn]] void ask_on_every_thread_at_once() {
  std::latch all_are_here(kThreads);
  std::vector<Isa> answers(kThreads);
  {
    std::vector<std::jthread> threads;
    for (Isa& answer : answers) {
      threads.emplace_back([&] {
        all_are_here.arrive_and_wait();
        answer = isa();
      });
    }
  }
  bool agree = true;
  for (const Isa answer : answers) agree = agree && answer == isa();
  std::exit(agree ? 0 : 1);
}

// Runs in a separate process in which no kernel has run. The thread sanitizer would detect a race.
TEST(Isa, IsChosenOnceByTheFirstOfManyThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ask_on_every_thread_at_once(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace terse
