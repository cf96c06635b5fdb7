// One-sided access: the data, the counters, and the lifetime of memory that other workers still
// read.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "run_errors.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/collectives/shared_all_reduce.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

using std::chrono::milliseconds;

TEST(OneSided, AReadSeesThePeersMemoryAndAWriteChangesIt) {
  run_workers({.workers = 3}, [](Worker& me) {
    std::array<std::uint8_t, 8> own{};
    own.fill(static_cast<std::uint8_t>(me.rank()));
    const auto bytes = std::as_writable_bytes(std::span(own));
    me.expose(bytes, bytes, {}, [&] {
      for (const auto byte : me.read_values(me.next(), 0, 4)) EXPECT_EQ(byte, std::byte(me.next()));
      me.write_results(me.next(), 5, 1).front() = std::byte(10 + me.rank());
    });
    EXPECT_EQ(own[4], me.rank());
    EXPECT_EQ(own[5], 10 + me.previous());
  });
}

TEST(OneSided, ValuesAndResultsMayLieApart) {
  run_workers({.workers = 2}, [](Worker& me) {
    const std::array<std::byte, 2> values = {std::byte(me.rank()), std::byte(10 + me.rank())};
    std::array<std::byte, 2> results{};
    me.expose(values, results, {}, [&] {
      me.write_results(me.next(), 0, 1).front() = me.read_values(me.next(), 1, 1).front();
      me.barrier();
      EXPECT_EQ(me.read_results(me.next(), 0, 1).front(), std::byte(10 + me.next()));
    });
    EXPECT_EQ(results[0], std::byte(10 + me.rank()));
    EXPECT_EQ(results[1], std::byte{0});
  });
}

TEST(OneSided, IsCountedAsTheMessagesThatItStandsFor) {
  run_workers({.workers = 2}, [](Worker& me) {
    std::array<std::byte, 100> own{};
    for (int round = 0; round < 2; ++round) {  // counts are reset in each round
      const auto before = me.counters();
      me.expose(own, own, {}, [&] {
        if (me.rank() == 0) return;
        me.read_values(0, 0, 40);
        me.read_values(0, 40, 0);
        me.write_results(0, 90, 10);
      });
      const auto since = me.counters() - before;
      const bool reader = me.rank() == 1;
      EXPECT_EQ(since.messages_sent, reader ? 1 : 2);
      EXPECT_EQ(since.payload_bytes_sent, reader ? 10 : 40);
      EXPECT_EQ(since.bytes_sent, reader ? 10 + 32 : 40 + 2 * 32);
      EXPECT_EQ(since.messages_received, reader ? 2 : 1);
      EXPECT_EQ(since.bytes_received, reader ? 40 + 2 * 32 : 10 + 32);
    }
  });
}

TEST(OneSided, IsNotOfferedInTurns) {
  run_workers({.workers = 2}, [](Worker& me) { EXPECT_TRUE(me.shares_memory()); });
  run_workers({.workers = 2, .executor = Executor::turns},
              [](Worker& me) { EXPECT_FALSE(me.shares_memory()); });
  run_workers({.workers = 2, .virtual_time = VirtualTime{}},
              [](Worker& me) { EXPECT_FALSE(me.shares_memory()); });
}

TEST(OneSided, ARangeBeyondThePeersMemoryIsRefused) {
  for (const auto& [first, bytes] : {std::pair<std::size_t, std::size_t>{0, 9}, {9, 0}, {8, 1}}) {
    const auto text = error_of({.workers = 2}, [from = first, count = bytes](Worker& me) {
      std::array<std::byte, 8> own{};
      me.expose(own, own, {}, [&] {
        if (me.rank() == 0) me.read_values(1, from, count);
      });
    });
    EXPECT_TRUE(says(text, "the 8 bytes of another worker; got worker 1")) << text;
  }
}

TEST(OneSided, SizesAndStepsThatDifferNameBothWorkers) {
  const auto open = [](std::size_t one, std::uint64_t step) {
    return error_of({.workers = 2}, [&](Worker& me) {
      std::vector<std::byte> own(me.rank() == 1 ? one : 8);
      const std::uint64_t own_step = me.rank() == 1 ? step : 3;
      me.expose(own, own, {.step = own_step, .payload_bytes = own.size()}, [] { FAIL(); });
    });
  };
  EXPECT_TRUE(says(open(12, 3), "worker 0") && says(open(12, 3), "worker 1")) << open(12, 3);
  EXPECT_TRUE(says(open(12, 3), "12 bytes") && says(open(12, 3), "8 bytes")) << open(12, 3);
  EXPECT_TRUE(says(open(8, 4), "worker 0") && says(open(8, 4), "worker 1")) << open(8, 4);
  EXPECT_TRUE(says(open(8, 4), "step 3") && says(open(8, 4), "step 4")) << open(8, 4);
}

class Looking {
 public:
  explicit Looking(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Looking() { --count_; }

 private:
  std::atomic<int>& count_;
};

// If a worker fails while its memory is exposed, the memory stays valid until the other workers no
// longer read it; these then throw the error. The flag detects memory that is freed too early even
// without a sanitizer.
TEST(OneSided, MemoryStaysWhileOthersLookHoweverTheRunFails) {
  Philox random(5, {.purpose = Purpose::test});
  for (int round = 0; round < 50; ++round) {
    const int workers = 2 + static_cast<int>(random.below(4));
    const auto culprit = static_cast<int>(random.below(static_cast<std::uint64_t>(workers)));
    const bool at_once = random.below(2) == 0;
    std::atomic<int> looking = 0, left_too_early = 0;
    const auto text = error_of({.workers = workers}, [&](Worker& me) {
      struct Owned {
        std::vector<std::byte> bytes;
        std::atomic<int>&looking, &left_too_early;
        ~Owned() { left_too_early += looking > 0; }
      } own{std::vector<std::byte>(1000), looking, left_too_early};
      me.expose(own.bytes, own.bytes, {}, [&] {
        if (me.rank() == culprit && at_once) throw std::runtime_error("the culprit");
        const Looking while_it_lives(looking);
        me.barrier();
        if (me.rank() == culprit) throw std::runtime_error("the culprit");
        std::this_thread::sleep_for(milliseconds(3));
        for (int peer = 0; peer < me.size(); ++peer) {
          if (peer == me.rank()) continue;
          for (const auto byte : me.read_values(peer, 0, 1000)) EXPECT_EQ(byte, std::byte{0});
        }
      });
      ADD_FAILURE() << "nobody comes back from it";
    });
    EXPECT_EQ(text, "the culprit");
    EXPECT_EQ(left_too_early, 0);
  }
}

TEST(OneSided, APeerThatNeverComesIsATimeoutAndOneThatHasLeftADeadlock) {
  std::atomic<bool> over = false;
  const auto late =
      error_of({.workers = 2, .deadline = milliseconds(50), .on_stuck = [](const std::string&) {}},
               [&](Worker& me) {
                 std::array<std::byte, 8> own{};
                 if (me.rank() == 1) over.wait(false);
                 try {
                   me.expose(own, own, {}, [] { FAIL(); });
                 } catch (...) {
                   over = true;
                   over.notify_all();
                   throw;
                 }
               });
  EXPECT_TRUE(says(late, "timeout: worker 0 waits at the barrier")) << late;
  const auto gone = error_of({.workers = 2}, [](Worker& me) {
    std::array<std::byte, 8> own{};
    if (me.rank() == 0) me.expose(own, own, {}, [] { FAIL(); });
  });
  EXPECT_TRUE(says(gone, "worker 1 has left")) << gone;
}

TEST(OneSided, AWorkerThatStallsWhileItLooksEndsTheRunAtTheDeadline) {
  std::atomic<bool> stalls = false, over = false;
  const auto end_it = [&](const std::string&) {
    over = true;
    over.notify_all();
  };
  const auto text =
      error_of({.workers = 3, .deadline = milliseconds(500), .on_stuck = end_it}, [&](Worker& me) {
        std::array<std::byte, 8> own{};
        me.expose(own, own, {}, [&] {
          if (me.rank() == 1) stalls = true;
          if (me.rank() == 1) over.wait(false);
          while (me.rank() == 0 && !stalls) std::this_thread::sleep_for(milliseconds(1));
          if (me.rank() == 0) throw std::runtime_error("the culprit");
        });
      });
  EXPECT_EQ(text, "the culprit");
  EXPECT_TRUE(over);
}

class SharedAllReduce : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Workers, SharedAllReduce, testing::Values(1, 2, 3, 4, 7));

TEST_P(SharedAllReduce, GivesTheBitsAndTheCountsOfMessages) {
  for (const std::size_t n : {0, 1, 5, 1000, 300'000}) {
    run_workers({.workers = GetParam()}, [&](Worker& me) {
      Philox random(3, {.worker = static_cast<std::uint32_t>(me.rank())});
      std::vector<float> values(n);
      for (auto& value : values) value = random.normal();
      const auto gradient = values;
      Collectives(me).ring_all_reduce(values, {.step = 1});
      const auto ring = std::exchange(values, gradient);
      const auto sent = me.counters();
      pull_ring_all_reduce(me, values, 1, {.step = 1});
      EXPECT_EQ(values, ring);
      const auto since = me.counters() - sent;
      EXPECT_EQ(since.bytes_sent, sent.bytes_sent);
      EXPECT_EQ(since.messages_sent, sent.messages_sent);
      EXPECT_EQ(since.bytes_received, sent.bytes_received);
      for (int owners = 1; owners <= me.size(); ++owners) {
        values = gradient;
        direct_all_reduce(me, owners, values, 1, {.step = 1});
        EXPECT_EQ(values, ring);
        values = gradient;
        std::vector<float> results(n);
        direct_reduce_scatter(me, owners, values, 1, {.step = 1},
                              [&](const GradientSource& sums) { materialize(sums, results); });
        EXPECT_EQ(results, ring);
      }

      auto third = ring;
      for (auto& value : third) value /= 3;
      values = gradient;
      pull_ring_all_reduce(me, values, 3, {.step = 1});
      EXPECT_EQ(values, third);
      values = gradient;
      direct_all_reduce(me, me.size(), values, 3, {.step = 1});
      EXPECT_EQ(values, third);
    });
  }
}

}  // namespace
}  // namespace terse
