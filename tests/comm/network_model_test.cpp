// The modelled network against times computed by hand, all to 1e-12 s.
#include "tersegrad/comm/network/network_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

constexpr double kTolerance = 1e-12;
constexpr double kHeader = 32;

// ---- text ---------------------------------------------------------------------------------------

TEST(NetworkText, SaysRateAndLatency) {
  const auto network = parse_network("10Gbps,20us");
  EXPECT_EQ(network.bits_per_second, 10e9);
  EXPECT_EQ(network.latency, 20 * 1e-6);
  EXPECT_EQ(parse_network("20us,10Gbps"), network);
  EXPECT_EQ(parse_network("10gbe"), network);
  EXPECT_EQ(parse_network("1gbe,loss=0.5").bits_per_second, 1e9);
  EXPECT_EQ(parse_network("wan").latency, 30 * 1e-3);
  EXPECT_EQ(parse_seconds("5ms"), 5 * 1e-3);
}

TEST(NetworkText, ComesBackAsTheSameNetwork) {
  for (const char* text :
       {"10Gbps,20us", "1Gbps,50us", "100Mbps,100us", "50Mbps,30ms", "2.5Gbps,7us,jitter=5us",
        "10Gbps,20us,loss=0.001,retry=200ms", "10Gbps,20us,slow=3:2,slow=0:1.5",
        "10Gbps,20us,card=1:1Gbps,link=0-1:100Mbps,link=0-2:5ms", "9.6Kbps,1s"}) {
    EXPECT_EQ(to_string(parse_network(text)), text);
  }
  Philox random(1, {});
  for (int i = 0; i < 1000; ++i) {
    const Network network{.bits_per_second = 1 + 1e12 * std::pow(random.uniform_double(), 4),
                          .latency = std::pow(random.uniform_double(), 8)};
    EXPECT_EQ(parse_network(to_string(network)), network) << to_string(network);
  }
}

TEST(NetworkText, WhatIsWrongIsSaid) {
  const auto refused = [](const char* text, const std::string& reason) {
    try {
      parse_network(text);
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  };
  for (const char* text : {"", "10", "10Gbps,", "fast", "-1Gbps", "0Gbps", "nanGbps", "infGbps",
                           "10Gbps,-1us", "10 Gbps", "20u"}) {
    refused(text, "a rate such as 10Gbps, a latency such as 20us");
  }
  refused("10Gbps,jiter=5us", "did you mean jitter?");
  refused("jitter=5", "a time such as jitter=5us");
  refused("loss=0.9", "a share from 0 to 0.5");
  refused("loss=nan", "a share from 0 to 0.5");
  refused("slow=3", "such as slow=3:2");
  refused("slow=-1:2", "such as slow=3:2");
  refused("slow=1:0", "such as slow=3:2");
  refused("card=70000:1Gbps", "such as card=3:1Gbps");
  refused("link=0:1Gbps", "such as link=0-3:1Gbps");
  refused("link=2-2:1Gbps", "such as link=0-3:1Gbps");
  EXPECT_THROW(parse_seconds("5"), UsageError);
  for (const char* text : {"slow=2:2", "card=2:1Gbps", "link=0-2:5ms"}) {
    EXPECT_THROW(NetworkNics(parse_network(text), 2, 0), UsageError) << text;
  }
}

// ---- messages -----------------------------------------------------------------------------------

// The time of each worker when its `body` has ended.
std::vector<double> times(const std::string& network, int workers, FunctionRef<void(Worker&)> body,
                          std::uint64_t seed = 0, LocalWork work = LocalWork::declared) {
  std::vector<double> ends(static_cast<std::size_t>(workers));
  run_workers(
      {.workers = workers,
       .virtual_time =
           VirtualTime{.network = parse_network(network), .local_work = work, .seed = seed}},
      [&](Worker& me) {
        body(me);
        ends[static_cast<std::size_t>(me.rank())] = me.virtual_clock()->now();
      });
  return ends;
}

double latest(const std::vector<double>& ends) {
  return *std::ranges::max_element(ends);
}

void send(Worker& me, int to, std::size_t bytes) {
  me.send(to, {.worker = static_cast<std::uint16_t>(me.rank())}, std::vector<std::byte>(bytes));
}

constexpr double kRate = 1e9 / 8, kLatency = 50e-6;  // of 1Gbps,50us

TEST(NetworkModel, AMessageTakesLatencyAndBytesOverBandwidth) {
  const auto ends = times("1Gbps,50us", 2, [](Worker& me) {
    me.virtual_clock()->spend(1);
    me.rank() == 0 ? send(me, 1, 968) : static_cast<void>(me.recv(0, {}));
  });
  EXPECT_NEAR(ends[0], 1, kTolerance) << "sending does not wait";
  EXPECT_NEAR(ends[1], 1 + kLatency + 1000 / kRate, kTolerance);
}

TEST(NetworkModel, WhoComesLateDoesNotWait) {
  const auto ends = times("1Gbps,50us", 2, [](Worker& me) {
    if (me.rank() == 0) return send(me, 1, 968);
    me.virtual_clock()->spend(3);
    me.recv(0, {});
  });
  EXPECT_NEAR(ends[1], 3, kTolerance);
}

TEST(NetworkModel, MessagesOfAWorkerLeaveOneAfterTheOther) {
  const auto ends = times("1Gbps,50us", 4, [](Worker& me) {
    for (int to = 1; me.rank() == 0 && to < 4; ++to) send(me, to, 968);
    if (me.rank() != 0) me.recv(0, {});
  });
  for (int to = 1; to < 4; ++to) {
    EXPECT_NEAR(ends[static_cast<std::size_t>(to)], kLatency + to * 1000 / kRate, kTolerance);
  }
}

TEST(NetworkModel, MessagesToAWorkerArriveOneAfterTheOther) {
  const auto ends = times("1Gbps,50us", 4, [](Worker& me) {
    if (me.rank() != 0) return send(me, 0, 968);
    for (int from = 1; from < 4; ++from) me.recv(from, {});
  });
  EXPECT_NEAR(ends[0], kLatency + 3 * 1000 / kRate, kTolerance);
}

// The worker with the first turn sends the message that arrives last.
TEST(NetworkModel, ACardReceivesInTheOrderOfFirstBytes) {
  std::vector<double> got(3);
  times("1Gbps,50us", 4, [&](Worker& me) {
    if (me.rank() < 3) {
      me.virtual_clock()->spend(3e-6 - me.rank() * 1e-6);  // workers 2, 1, 0
      return send(me, 3, 968);
    }
    for (int from = 0; from < 3; ++from) {
      // Receives in the order 0, 1, 2; the message of worker 0 arrives after the others.
      me.recv(from, {});
      got[static_cast<std::size_t>(from)] = me.virtual_clock()->now();
    }
  });
  const double all = 1e-6 + kLatency + 3 * 1000 / kRate;
  for (const double time : got) EXPECT_NEAR(time, all, kTolerance);
}

TEST(NetworkModel, AnEarlierMessageOfALaterTurnStillComesFirst) {
  // Worker 2 waits for worker 0's message, which is sent at 10 us. Worker 1 receives a message of
  // worker 3 at about 5 us and then sends to worker 2, earlier in virtual time than worker 0.
  double got = 0;
  times("10Gbps,1us", 4, [&](Worker& me) {
    const double rate = 10e9 / 8;
    switch (me.rank()) {
      case 0:
        me.virtual_clock()->spend(10e-6);
        return send(me, 2, 99'968);
      case 1:
        me.recv(3, {});
        EXPECT_NEAR(me.virtual_clock()->now(), 4e-6 + 1e-6 + 100 / rate, kTolerance);
        return send(me, 2, 99'968);
      case 3:
        me.virtual_clock()->spend(4e-6);
        return send(me, 1, 68);
      default:
        me.recv(0, {});
        got = me.virtual_clock()->now();
        EXPECT_NEAR(got, 5e-6 + 100 / rate + 1e-6 + 2 * 100'000 / rate, kTolerance);
        me.recv(1, {});
        EXPECT_EQ(me.virtual_clock()->now(), got);
    }
  });
}

TEST(NetworkModel, SlowWorkersCardsAndLinks) {
  const auto ends =
      times("1Gbps,50us,slow=0:2.5,card=1:100Mbps,link=0-2:10Mbps,link=3-2:1ms", 4, [](Worker& me) {
        if (me.rank() == 0) {
          me.virtual_clock()->spend(1);
          for (int to = 1; to < 4; ++to) send(me, to, 968);
        } else {
          me.recv(0, {});
        }
        if (me.rank() == 3) send(me, 2, 968);
        if (me.rank() == 2) me.recv(3, {});
      });
  const double first = 2.5 + 1000 / (100e6 / 8), second = first + 1000 / (10e6 / 8);
  EXPECT_NEAR(ends[0], 2.5, kTolerance);
  EXPECT_NEAR(ends[1], first + kLatency, kTolerance);
  EXPECT_NEAR(ends[3], second + 1000 / kRate + kLatency, kTolerance);
  EXPECT_NEAR(ends[2], ends[3] + 1e-3 + 1000 / kRate, kTolerance);
}

TEST(NetworkModel, ABarrierEndsWithTheLastToCome) {
  const auto ends = times("1Gbps,50us", 3, [](Worker& me) {
    me.virtual_clock()->spend(me.rank());
    me.barrier();
  });
  for (const double end : ends) EXPECT_EQ(end, 2);
}

// ---- chance -------------------------------------------------------------------------------------

const auto talk = [](Worker& me) {
  for (int i = 0; i < 50; ++i) {
    send(me, me.next(), 3000);
    me.recv(me.previous(), {});
  }
};

TEST(NetworkModel, JitterAndLossRepeatWithTheSeed) {
  for (const char* network : {"1gbe,jitter=100us", "1gbe,loss=0.1", "1gbe,jitter=1us,loss=0.01"}) {
    const auto first = times(network, 4, talk, 1);
    EXPECT_EQ(first, times(network, 4, talk, 1)) << network;
    EXPECT_NE(first, times(network, 4, talk, 2)) << network;
    EXPECT_GT(latest(first), latest(times("1gbe", 4, talk))) << network;
  }
}

TEST(NetworkModel, JitterIsUniform) {
  NetworkNics nics(parse_network("1Gbps,50us,jitter=1ms"), 2, 7);
  const int n = 20'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double late = (nics.send(0, 1, 1000, i).first_byte - i - kLatency) / 1e-3;
    EXPECT_GE(late, -1e-9);
    EXPECT_LT(late, 1);
    sum += late;
    squares += late * late;
  }
  EXPECT_NEAR(sum / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * std::sqrt((1.0 / 5 - 1.0 / 9) / n));
}

// Of k frames, k p / (1-p) are sent again on average. The number of rounds exceeds r with
// probability 1 - (1 - p^r)^k.
TEST(NetworkModel, LossCostsTimeOnTheCardAndRoundsOfRetries) {
  constexpr double p = 0.2, retry = 10, frames = 8, seconds = 1500 / kRate;
  NetworkNics nics(parse_network("1Gbps,0s,loss=0.2,retry=10s"), 2, 3);
  const int n = 20'000;
  double again = 0, rounds = 0;
  for (int i = 0; i < n; ++i) {
    const double now = 1000.0 * i, first = nics.send(0, 1, 12'000, now).first_byte;
    const auto arrival = nics.receive(1);
    EXPECT_EQ(arrival.from, 0);
    rounds += (first - now) / retry;
    again += (arrival.time - first) / seconds - frames;
  }
  double expected_rounds = 0;
  for (int r = 1; r < 60; ++r) expected_rounds += 1 - std::pow(1 - std::pow(p, r), frames);
  EXPECT_NEAR(rounds / n, expected_rounds, 5 / std::sqrt(n));
  const double variance = frames * p / std::pow(1 - p, 2);
  EXPECT_NEAR(again / n, frames * p / (1 - p), 5 * std::sqrt(variance / n));
}

TEST(NetworkModel, MessagesOfAPairNeverOvertake) {
  NetworkNics nics(parse_network("10Gbps,1us,jitter=1ms"), 2, 1);
  double last = 0;
  for (int i = 0; i < 100; ++i) {
    const double first = nics.send(0, 1, 100, 1e-6 * i).first_byte;
    EXPECT_GE(first, last);
    last = first;
  }
}

// ---- collectives --------------------------------------------------------------------------------

class CollectiveTime : public testing::TestWithParam<int> {
 protected:
  int workers() const { return GetParam(); }
  double w() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Workers, CollectiveTime, testing::Values(1, 2, 3, 4, 7, 16));

TEST_P(CollectiveTime, OfARingAllReduce) {
  const std::size_t each = 1000, n = each * static_cast<std::size_t>(workers());
  const auto ends = times("1Gbps,50us", workers(), [&](Worker& me) {
    std::vector<float> values(n);
    Collectives(me).ring_all_reduce(values, {});
  });
  const double hop = kLatency + (kHeader + 4 * each) / kRate;
  for (const double end : ends) EXPECT_NEAR(end, 2 * (w() - 1) * hop, kTolerance);
}

TEST_P(CollectiveTime, OfAnAllGather) {
  const auto ends = times("1Gbps,50us", workers(), [&](Worker& me) {
    std::vector<Packet> packets(static_cast<std::size_t>(workers()));
    packets[static_cast<std::size_t>(me.rank())].start(
        {.worker = static_cast<std::uint16_t>(me.rank())}, 5000);
    Collectives(me).ring_all_gather(packets);
  });
  const double hop = kLatency + (kHeader + 5000) / kRate;
  for (const double end : ends) EXPECT_NEAR(end, (w() - 1) * hop, kTolerance);
}

TEST_P(CollectiveTime, OfABroadcast) {
  const auto ends = times("1Gbps,50us", workers(), [&](Worker& me) {
    Packet packet({}, 5000);
    Collectives(me).broadcast(0, {}, packet);
  });
  const double hop = kLatency + (kHeader + 5000) / kRate;
  for (int k = 0; k < workers(); ++k) {
    EXPECT_NEAR(ends[static_cast<std::size_t>(k)], k * hop, kTolerance);
  }
}

TEST_P(CollectiveTime, OfAnAgreement) {
  const auto ends = times("1Gbps,50us", workers(), [&](Worker& me) {
    std::vector<std::uint64_t> all(static_cast<std::size_t>(workers()));
    Collectives(me).agree(1, 0, all);
  });
  const double message = (kHeader + 8) / kRate;
  const double all = workers() > 1 ? kLatency + (w() - 1) * message : 0;
  for (const double end : ends) EXPECT_NEAR(end, all, kTolerance);
}

// A vote: every worker owns a slice. The packets to a worker arrive one after the other, and so do
// the down packets.
TEST_P(CollectiveTime, OfSlices) {
  const std::size_t words = 10, n = 32 * words * static_cast<std::size_t>(workers());
  const TopologyPlan plan({.kind = TopologyKind::ring, .workers = workers()}, toy::Vote());
  const auto ends = times("1Gbps,50us", workers(), [&](Worker& me) {
    toy::Vote compressor(2);
    toy::Gradients gradients({n}), mean({n});
    toy::exchange_mean(*plan.join(me), compressor, {}, gradients.views(), mean.views());
  });
  const double up = (kHeader + 4 * words) / kRate, down = (kHeader + 2 * 4 * words) / kRate;
  const double all = workers() > 1 ? 2 * kLatency + (w() - 1) * (up + down) : 0;
  for (const double end : ends) EXPECT_NEAR(end, all, kTolerance);
}

TEST_P(CollectiveTime, OfAServer) {
  const std::size_t n = 1000;
  const TopologyPlan plan({.kind = TopologyKind::server, .workers = workers()}, toy::Plain());
  const auto ends = times("1Gbps,50us", workers(), [&](Worker& me) {
    toy::Plain compressor;
    toy::Gradients gradients({n}), mean({n});
    toy::exchange_mean(*plan.join(me), compressor, {}, gradients.views(), mean.views());
  });
  // All workers push to one NIC at the same time, and it sends the down packets one after the
  // other.
  const double message = (kHeader + 4 * n) / kRate;
  EXPECT_NEAR(ends[0], workers() > 1 ? kLatency + (w() - 1) * message : 0, kTolerance);
  for (int k = 1; k < workers(); ++k) {
    EXPECT_NEAR(ends[static_cast<std::size_t>(k)], 2 * kLatency + (w() - 1 + k) * message,
                kTolerance);
  }
}

// ---- local work ---------------------------------------------------------------------------------

TEST(VirtualTime, MeasuredWorkCountsInPhasesAlone) {
  using std::chrono::milliseconds;
  const auto work = [](Worker& me) {
    std::this_thread::sleep_for(
        milliseconds(40));  // work outside of all parts takes no virtual time
    if (me.rank() == 1) {
      const auto timed = me.time(Part::compute);
      std::this_thread::sleep_for(milliseconds(20));
      const auto inner = me.time(Part::exchange);
      send(me, 0, 68);
    } else {
      const auto timed = me.time(Part::exchange);
      me.recv(1, {});  // waits for worker 1's 20 ms, not 60 ms
    }
    const auto& split = me.virtual_times();
    EXPECT_NEAR(split[Part::compute] + split[Part::exchange], me.virtual_clock()->now(), 1e-9);
  };
  const auto measured = times("1Gbps,50us,slow=1:3", 2, work, 0, LocalWork::measured);
  EXPECT_GE(measured[0], 3 * 0.020 + kLatency);
  EXPECT_LT(measured[0], 3 * 0.039);
  const auto declared = times("1Gbps,50us,slow=1:3", 2, work);
  EXPECT_NEAR(declared[0], kLatency + 100 / kRate, kTolerance);
}

TEST(VirtualTime, ThereIsNoneWithoutAModel) {
  run_workers({.workers = 1}, [](Worker& me) { EXPECT_EQ(me.virtual_clock(), nullptr); });
}

}  // namespace
}  // namespace terse
