#include "tersegrad/core/allocator.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {
namespace {

TEST(Allocator, BlocksAreAlignedAndCounted) {
  const auto before = memory_use();
  std::vector<std::pair<void*, std::size_t>> blocks;
  std::size_t total = 0;
  for (std::size_t bytes = 0; bytes < 300'000; bytes = bytes * 3 / 2 + 1) {
    void* block = allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % kAlignment, 0U);
    std::memset(block, 0xAB, bytes);
    blocks.emplace_back(block, bytes);
    total += bytes;
  }
  EXPECT_EQ(memory_use().live_bytes, before.live_bytes + total);
  EXPECT_GE(memory_use().peak_bytes, before.live_bytes + total);
  for (const auto& [block, bytes] : blocks) deallocate(block, bytes);
  EXPECT_EQ(memory_use().live_bytes, before.live_bytes);
}

TEST(Allocator, LiveBlocksDoNotOverlap) {
  std::vector<Buffer<std::uint64_t>> buffers;
  for (std::uint64_t i = 0; i < 500; ++i) {
    buffers.emplace_back(static_cast<std::int64_t>(1 + i * 7 % 97));
    for (auto& v : buffers.back().span()) v = i;
  }
  for (std::uint64_t i = 0; i < 500; ++i) {
    for (const auto v : buffers[i].span()) ASSERT_EQ(v, i);
  }
}

TEST(Allocator, ThreadsMayShareIt) {
  const auto before = memory_use().live_bytes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 2000; ++i) {
        Buffer<int> buffer(1 + (i * 31 + t) % 5000);
        for (auto& v : buffer.span()) v = t;
        for (const auto v : buffer.span()) ASSERT_EQ(v, t);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(memory_use().live_bytes, before);
}

// False in builds for sanitizers, which allocate each block separately.
bool blocks_are_cached() {
  { const Buffer<char> first(64); }
  const auto calls = memory_use().system_calls;
  { const Buffer<char> second(64); }
  return memory_use().system_calls == calls;
}

// However the pieces of a loop overlap, the first loop has allocated all the memory that later
// loops need.
TEST(Allocator, PiecesTakeNothingNewAfterTheFirstLoop) {
  if (!blocks_are_cached()) GTEST_SKIP() << "this build caches no blocks";
  constexpr std::int64_t kBig = 5'000'000;  // a size that no other test allocates
  const auto loop = [](bool wait) {
    std::atomic<int> running{0};
    parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
      const Buffer<float> a(kBig), b(kBig);
      ++running;
      // The pieces overlap if there are two threads. Otherwise they run one after the other.
      for (int i = 0; wait && running < 2 && i < 1'000'000; ++i) std::this_thread::yield();
    });
  };
  const int before = thread_count();
  set_thread_count(2);
  loop(false);
  const auto calls = memory_use().system_calls;
  for (int i = 0; i < 20; ++i) loop(true);
  EXPECT_EQ(memory_use().system_calls, calls);
  set_thread_count(before);
}

}  // namespace
}  // namespace terse
