#include "tersegrad/core/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnceInPiecesOfTheGrain) {
  for (const std::int64_t n : {0, 1, 9, 10, 11, 1000}) {
    std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
    parallel_for(n, 10, [&](std::int64_t begin, std::int64_t end) {
      EXPECT_EQ(begin % 10, 0);
      EXPECT_LE(end - begin, 10);
      for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
    });
    for (const auto& v : visits) EXPECT_EQ(v, 1);
  }
}

TEST(ParallelFor, RethrowsWhatAPieceThrows) {
  EXPECT_THROW(parallel_for(100, 1,
                            [](std::int64_t begin, std::int64_t) {
                              if (begin == 50) throw std::runtime_error("piece 50");
                            }),
               std::runtime_error);
}

TEST(ParallelSum, DoesNotDependOnThreads) {
  const auto harmonic = [](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += 1.0 / static_cast<double>(i + 1);
    return sum;
  };
  const int before = thread_count();
  set_thread_count(1);
  const double one = parallel_sum(100'000, 777, harmonic);
  set_thread_count(2);
  const double two = parallel_sum(100'000, 777, harmonic);
  set_thread_count(before);
  EXPECT_EQ(one, two);
  EXPECT_NEAR(one, std::log(100'000.0) + 0.5772156649 + 0.5e-5, 1e-9);
}

TEST(Arena, LoopsOfSeveralThreadsDoNotMix) {
  std::vector<std::thread> threads;
  std::vector<double> sums(4);
  for (std::size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&sums, t] {
      Arena arena;
      arena.run([&] {
        sums[t] = parallel_sum(10'000, 10, [t](std::int64_t begin, std::int64_t end) {
          return static_cast<double>(end - begin) * static_cast<double>(t);
        });
      });
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 0; t < sums.size(); ++t)
    EXPECT_EQ(sums[t], 10'000.0 * static_cast<double>(t));
}

TEST(Threads, AtLeastOne) {
  EXPECT_THROW(set_thread_count(0), Error);
}

}  // namespace
}  // namespace terse
