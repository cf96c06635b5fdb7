// The exchange of a training step allocates no memory after the first steps: buffers are reused.
#include <gtest/gtest.h>

#include "counted_allocations.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"

namespace terse {
namespace {

// Sends messages of the kinds and sizes that training sends.
void exchange(Worker& me, Collectives& together, std::vector<float>& values,
              std::vector<Packet>& packets, std::vector<std::uint64_t>& words, std::uint64_t step) {
  together.agree(1, step, words);
  together.ring_all_reduce(values, {.step = step});
  auto& own = packets[static_cast<std::size_t>(me.rank())];
  own.start(
      {.step = static_cast<std::uint32_t>(step), .worker = static_cast<std::uint16_t>(me.rank())},
      static_cast<std::size_t>(100 * (me.rank() + 1)));
  std::ranges::fill(own.payload(), std::byte{0});
  together.ring_all_gather(packets);
}

std::size_t allocations_of_steady_steps(Executor executor, std::uint64_t warm,
                                        std::uint64_t steps) {
  std::size_t before = 0, after = 0;
  run_workers({.workers = 4, .executor = executor}, [&](Worker& me) {
    Collectives together(me);
    std::vector<float> values(5000);
    std::vector<Packet> packets(4);
    std::vector<std::uint64_t> words(4);
    for (std::uint64_t step = 0; step < warm; ++step) {
      exchange(me, together, values, packets, words, step);
    }
    me.barrier();
    if (me.rank() == 0) before = allocations_so_far();
    me.barrier();
    for (std::uint64_t step = warm; step < warm + steps; ++step) {
      exchange(me, together, values, packets, words, step);
    }
    me.barrier();
    if (me.rank() == 0) after = allocations_so_far();
    me.barrier();
  });
  return after - before;
}

TEST(SteadyState, AllocatesNothingInTurns) {
  EXPECT_EQ(allocations_of_steady_steps(Executor::turns, 100, 200), 0);
}

TEST(SteadyState, HardlyAllocatesWhenAllRun) {
  // The buffer that a message gets depends on timing, so some buffers grow late.
  EXPECT_LT(allocations_of_steady_steps(Executor::concurrent, 500, 1000), 100);
}

}  // namespace
}  // namespace terse
