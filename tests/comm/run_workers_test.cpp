// run_workers and Worker: delivery and order of packets, and counters.
#include "tersegrad/comm/transport/run_workers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

using std::chrono::milliseconds;

class OnBothExecutors : public testing::TestWithParam<Executor> {
 protected:
  WorkerOptions options(int workers) const { return {.workers = workers, .executor = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(Executors, OnBothExecutors,
                         testing::Values(Executor::concurrent, Executor::turns),
                         [](const auto& suite) {
                           return suite.param == Executor::concurrent ? "concurrent" : "turns";
                         });

PacketHeader header_of(const Worker& me, std::uint32_t step) {
  return {.step = step, .worker = static_cast<std::uint16_t>(me.rank())};
}

TEST_P(OnBothExecutors, EveryRankRunsOnce) {
  std::array<std::atomic<int>, 5> runs{};
  run_workers(options(5), [&](Worker& me) {
    EXPECT_EQ(me.size(), 5);
    ++runs.at(static_cast<std::size_t>(me.rank()));
  });
  for (const auto& count : runs) EXPECT_EQ(count, 1);
}

TEST_P(OnBothExecutors, MessagesOfAPairKeepTheirOrder) {
  run_workers(options(3), [](Worker& me) {
    for (std::uint32_t step = 0; step < 100; ++step) {
      me.send(me.next(), header_of(me, step), std::as_bytes(std::span(&step, 1)));
    }
    Packet packet;
    for (std::uint32_t step = 0; step < 100; ++step) {
      me.recv(me.previous(), {.step = step, .payload_bytes = 4}, packet);
      EXPECT_EQ(packet.header().worker, me.previous());
      EXPECT_EQ(ByteReader(packet.payload()).get<std::uint32_t>(), step);
    }
  });
}

TEST_P(OnBothExecutors, ReceivedBytesAreACopy) {
  run_workers(options(2), [](Worker& me) {
    if (me.rank() == 0) {
      Packet packet(header_of(me, 0), 8);
      std::ranges::fill(packet.payload(), std::byte{1});
      me.send(1, packet);
      std::ranges::fill(packet.payload(), std::byte{2});
      me.barrier();
    } else {
      me.barrier();
      const Packet got = me.recv(0, {});
      for (const auto byte : got.payload()) EXPECT_EQ(byte, std::byte{1});
    }
  });
}

TEST_P(OnBothExecutors, BarrierHoldsUntilAllHaveCome) {
  std::atomic<int> come = 0;
  run_workers(options(4), [&](Worker& me) {
    for (int round = 1; round <= 50; ++round) {
      ++come;
      me.barrier();
      EXPECT_EQ(come, 4 * round);
      me.barrier();
    }
  });
}

TEST_P(OnBothExecutors, CountersTellControlMessagesApart) {
  run_workers(options(2), [](Worker& me) {
    const auto before = me.counters();
    const std::uint64_t word = 1;
    auto header = header_of(me, 0);
    me.send(me.next(), header, std::as_bytes(std::span(&word, 1)));
    header.kind = PacketKind::control;
    me.send(me.next(), header, std::as_bytes(std::span(&word, 1)));
    me.send(me.next(), header, std::as_bytes(std::span(&word, 1)));
    me.recv(me.previous(), {});
    me.recv(me.previous(), {.kind = PacketKind::control});
    me.recv(me.previous(), {.kind = PacketKind::control});
    const auto since = me.counters() - before;
    EXPECT_EQ(since.messages_sent, 1);
    EXPECT_EQ(since.bytes_sent, 40);
    EXPECT_EQ(since.payload_bytes_sent, 8);
    EXPECT_EQ(since.messages_received, 1);
    EXPECT_EQ(since.bytes_received, 40);
    EXPECT_EQ(since.control_messages, 2);
    EXPECT_EQ(since.control_bytes, 80);
    me.reset_accounts();
    EXPECT_EQ(me.counters().bytes_sent, 0);
  });
}

// An endpoint that flips one bit of the payload of the packets that it sends.
class FaultyEndpoint final : public Endpoint {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  Packet lend(int) override { return {}; }
  void post(int, Packet packet) override {
    packet.payload()[3] ^= std::byte{4};
    packet_ = std::move(packet);
  }
  void take(int, const Expected&, Packet& into) override { into = packet_; }
  int take_any(const Expected&, Packet& into) override {
    into = packet_;
    return 1;
  }
  void barrier() override {}

 private:
  Packet packet_;
};

TEST(Worker, ABrokenPayloadIsFoundByItsChecksum) {
  FaultyEndpoint wire;
  Worker me(wire), trusting(wire, Verify::header);
  Packet packet({}, 8);
  std::ranges::fill(packet.payload(), std::byte{0});
  me.send(1, packet);
  EXPECT_NO_THROW(trusting.recv(1, {}));
  try {
    me.recv(1, {});
    FAIL();
  } catch (const PacketError& error) {
    EXPECT_NE(std::string(error.what()).find("worker 0 got a broken packet from worker 1"),
              std::string::npos);
  }
}

TEST(PartClock, AnInnerScopeTakesItsTimeFromTheOuter) {
  PartClock clock;
  {
    const auto outer = clock.time(Part::exchange);
    std::this_thread::sleep_for(milliseconds(5));
    {
      const auto inner = clock.time(Part::decode);
      std::this_thread::sleep_for(milliseconds(40));
    }
  }
  EXPECT_GE(clock.times()[Part::decode], 0.040);
  EXPECT_GE(clock.times()[Part::exchange], 0.005);
  EXPECT_LT(clock.times()[Part::exchange], clock.times()[Part::decode]);
  clock.reset();
  EXPECT_EQ(clock.times()[Part::decode], 0);
}

TEST(Turns, OneWorkerRunsAtATime) {
  std::atomic<int> running = 0;
  run_workers({.workers = 4, .executor = Executor::turns}, [&](Worker& me) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(++running, 1);
      std::this_thread::yield();
      --running;
      me.barrier();
    }
  });
}

TEST(Turns, TheTurnGoesToTheLowestRankThatCanRun) {
  std::vector<int> order;  // needs no lock: one worker runs at a time
  run_workers({.workers = 3, .executor = Executor::turns}, [&](Worker& me) {
    for (int i = 0; i < 2; ++i) {
      order.push_back(me.rank());
      me.barrier();
    }
  });
  // The last worker at a barrier continues at once; the others follow in the order of ranks.
  EXPECT_EQ(order, (std::vector{0, 1, 2, 2, 0, 1}));
}

TEST(Turns, ARunRepeats) {
  const auto record = [] {
    std::vector<int> order;
    run_workers({.workers = 4, .executor = Executor::turns}, [&](Worker& me) {
      Collectives together(me);
      std::vector<float> values(10, 1.0F);
      for (std::uint64_t step = 0; step < 3; ++step) {
        order.push_back(me.rank());
        together.ring_all_reduce(values, {.step = step});
        order.push_back(me.rank());
      }
    });
    return order;
  };
  EXPECT_EQ(record(), record());
}

TEST(RunWorkers, RefusesAGroupOfNobody) {
  EXPECT_THROW(run_workers({.workers = 0}, [](Worker&) {}), UsageError);
  EXPECT_THROW(run_workers({.workers = 1, .deadline = milliseconds(-1)}, [](Worker&) {}),
               UsageError);
}

}  // namespace
}  // namespace terse
