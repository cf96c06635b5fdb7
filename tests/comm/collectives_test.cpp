// Tests of the collectives against closed forms, for several sizes, on both executors.
#include "tersegrad/comm/collectives/collectives.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "tersegrad/comm/transport/run_workers.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

class Collective : public testing::TestWithParam<std::tuple<int, Executor>> {
 protected:
  int workers() const { return std::get<0>(GetParam()); }
  void run(FunctionRef<void(Worker&)> body) const {
    run_workers({.workers = workers(), .executor = std::get<1>(GetParam())}, body);
  }
  std::vector<std::size_t> sizes() const {
    return {0, 1, 5, static_cast<std::size_t>(workers() - 1), 1000};
  }
};
INSTANTIATE_TEST_SUITE_P(All, Collective,
                         testing::Combine(testing::Values(1, 2, 3, 4, 7),
                                          testing::Values(Executor::concurrent, Executor::turns)),
                         [](const auto& suite) {
                           return "W" + std::to_string(std::get<0>(suite.param)) +
                                  (std::get<1>(suite.param) == Executor::concurrent ? "Concurrent"
                                                                                    : "Turns");
                         });

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

TEST_P(Collective, AllReduceOfSmallIntegersIsTheirSum) {
  run([&](Worker& me) {
    Collectives together(me);
    for (const auto n : sizes()) {
      std::vector<float> values(n);
      for (std::size_t i = 0; i < n; ++i) {
        values[i] = static_cast<float>(i % 100 + static_cast<std::size_t>(me.rank()));
      }
      together.ring_all_reduce(values, {.step = n});
      const int ranks = me.size() * (me.size() - 1) / 2;
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_EQ(values[i], static_cast<float>(static_cast<int>(i % 100) * me.size() + ranks));
      }
    }
  });
}

TEST_P(Collective, AllReduceAddsInTheOneOrder) {
  for (const auto n : sizes()) {
    std::vector<toy::Gradients> inputs;
    std::vector<std::span<const float>> parts;
    for (int worker = 0; worker < workers(); ++worker) {
      inputs.emplace_back(std::vector{n});
      inputs.back().fill(worker, 3);
    }
    for (const auto& input : inputs) parts.emplace_back(input.values);
    // The order of addition: chunk c in the order of the workers c+1, c+2, …, c (mod W).
    std::vector<float> expected(n);
    for (int c = 0; c < workers(); ++c) {
      const auto chunk = chunk_of(n, c, workers());
      for (std::size_t i = chunk.first; i < chunk.first + chunk.count; ++i) {
        float sum = parts[static_cast<std::size_t>((c + 1) % workers())][i];
        for (int k = 2; k <= workers(); ++k) {
          sum += parts[static_cast<std::size_t>((c + k) % workers())][i];
        }
        expected[i] = sum;
      }
    }
    std::vector<float> summed(n);
    sum_in_ring_order(parts, 0, n, summed);
    EXPECT_TRUE(same_bits(summed, expected)) << n;
    run([&](Worker& me) {
      auto values = inputs[static_cast<std::size_t>(me.rank())].values;
      Collectives(me).ring_all_reduce(values, {});
      EXPECT_TRUE(same_bits(values, expected)) << "size " << n << ", worker " << me.rank();
    });
  }
}

TEST_P(Collective, AnyCutOfTheBufferSumsToTheSameBits) {
  const std::size_t n = 1000;
  std::vector<toy::Gradients> inputs;
  for (int worker = 0; worker < workers(); ++worker) {
    inputs.emplace_back(std::vector{n});
    inputs.back().fill(worker, 1);
  }
  const auto sum = [&](std::size_t first, std::size_t count) {
    std::vector<std::span<const float>> parts;
    for (const auto& input : inputs) {
      parts.push_back(std::span<const float>(input.values).subspan(first, count));
    }
    std::vector<float> out(count);
    sum_in_ring_order(parts, first, n, out);
    return out;
  };
  const auto whole = sum(0, n);
  for (const std::size_t cut : {1, 333, 500, 999}) {
    auto joined = sum(0, cut);
    const auto rest = sum(cut, n - cut);
    joined.insert(joined.end(), rest.begin(), rest.end());
    EXPECT_TRUE(same_bits(joined, whole)) << cut;
  }
}

TEST_P(Collective, AllGatherBringsEveryPacketInRankOrder) {
  run([&](Worker& me) {
    std::vector<Packet> packets(static_cast<std::size_t>(me.size()));
    Collectives together(me);
    for (std::uint32_t step = 0; step < 3; ++step) {
      // Worker w's packet has 3 w bytes of value w + step.
      const PacketHeader header{.step = step, .worker = static_cast<std::uint16_t>(me.rank())};
      auto& own = packets[static_cast<std::size_t>(me.rank())];
      own.start(header, static_cast<std::size_t>(3 * me.rank()));
      std::ranges::fill(own.payload(), static_cast<std::byte>(me.rank() + static_cast<int>(step)));
      together.ring_all_gather(packets);
      for (int worker = 0; worker < me.size(); ++worker) {
        const auto& packet = packets[static_cast<std::size_t>(worker)];
        EXPECT_EQ(packet.header().worker, worker);
        EXPECT_EQ(packet.payload().size(), static_cast<std::size_t>(3 * worker));
        for (const auto byte : packet.payload()) {
          EXPECT_EQ(byte, static_cast<std::byte>(worker + static_cast<int>(step)));
        }
      }
    }
  });
}

TEST_P(Collective, BroadcastBringsTheRootsPacket) {
  run([&](Worker& me) {
    Collectives together(me);
    for (int root = 0; root < me.size(); ++root) {
      Packet packet;
      if (me.rank() == root) {
        packet.start({.kind = PacketKind::down, .worker = static_cast<std::uint16_t>(root)}, 5);
        std::ranges::fill(packet.payload(), static_cast<std::byte>(root));
      }
      together.broadcast(root, {.kind = PacketKind::down}, packet);
      EXPECT_EQ(packet.header().worker, root);
      ASSERT_EQ(packet.payload().size(), 5);
      EXPECT_EQ(packet.payload().back(), static_cast<std::byte>(root));
    }
  });
}

TEST_P(Collective, AgreeTellsEveryWordToAll) {
  run([&](Worker& me) {
    Collectives together(me);
    std::vector<std::uint64_t> words(static_cast<std::size_t>(me.size()));
    for (std::uint64_t step = 0; step < 3; ++step) {
      together.agree(0xabcd00000000ULL + 10 * step + static_cast<std::uint64_t>(me.rank()), step,
                     words);
      for (std::size_t w = 0; w < words.size(); ++w) {
        EXPECT_EQ(words[w], 0xabcd00000000ULL + 10 * step + w);
      }
      const std::vector<std::uint64_t> own(3, static_cast<std::uint64_t>(me.rank()));
      std::vector<std::uint64_t> all(3 * words.size());
      together.agree(own, step, all);
      for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i / 3);
    }
    EXPECT_EQ(me.counters().bytes_sent, 0);
    // Three steps, each with messages of one and of three words after a header of 32 bytes.
    EXPECT_EQ(me.counters().control_messages, static_cast<std::uint64_t>(3 * (me.size() - 1) * 2));
    EXPECT_EQ(me.counters().control_bytes,
              static_cast<std::uint64_t>(3 * (me.size() - 1) * (40 + 56)));
  });
}

}  // namespace
}  // namespace terse
