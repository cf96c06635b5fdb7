// The times at which buckets are exchanged: in virtual time against times computed by hand, all to
// 1e-12 s; in real time by a second thread.
#include "tersegrad/comm/training/overlap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

// ---- virtual time -------------------------------------------------------------------------------

constexpr double kTolerance = 1e-12;
constexpr double kRate = 1e9 / 8, kLatency = 50e-6;  // of 1Gbps,50us
constexpr double kWord = 40 / kRate;                 // the control message before each bucket

struct Times {
  std::vector<double> end, hidden;  // by worker
};

// Steps of a model of two tensors, each of which is a bucket; forward and backward take `compute`
// seconds. Like the optimizer, the workers agree on a word before each bucket.
constexpr std::size_t kFirst = 3000, kSecond = 1000;
Times step(const TopologyOptions& options, double compute, const std::string& network,
           int steps = 1) {
  const TopologyPlan plan(options, toy::Plain());
  const auto workers = static_cast<std::size_t>(options.workers);
  Times times{std::vector<double>(workers), std::vector<double>(workers)};
  run_workers({.workers = options.workers,
               .virtual_time = VirtualTime{.network = parse_network(network),
                                           .local_work = LocalWork::declared}},
              [&](Worker& me) {
                toy::Gradients gradients({kFirst, kSecond}), mean({kFirst, kSecond});
                toy::Plain compressor;
                const auto topology = plan.join(me);
                Collectives collectives(me);
                std::vector<std::uint64_t> words(workers);
                const auto views = gradients.views(), out = mean.views();
                Overlap overlap(me, views, {.bucket_bytes = 1, .compute = compute},
                                [&](const Bucket& bucket) {
                                  collectives.agree(0, 0, words);
                                  toy::exchange_mean(*topology, compressor, bucket.of(Round{}),
                                                     bucket.of(views), bucket.of(out));
                                });
                for (int i = 0; i < steps; ++i) {
                  overlap.complete(1);
                  overlap.complete(0);
                  overlap.finish();
                }
                const auto rank = static_cast<std::size_t>(me.rank());
                times.end[rank] = me.virtual_clock()->now();
                times.hidden[rank] = overlap.hidden_seconds();
              });
  return times;
}

// The exchange of a bucket in a ring of W workers that begin at the same time: the word, then
// 2 (W-1) hops.
double ring(std::size_t n, double workers) {
  return kLatency + (workers - 1) * kWord +
         2 * (workers - 1) * (kLatency + (32 + 4 * static_cast<double>(n) / workers) / kRate);
}
// The share of compute after which the second tensor's gradient is complete: forward and a quarter
// of backward.
constexpr double kReady = 1.0 / 3 + 2.0 / 3 / 4;

TEST(VirtualOverlap, InARingABucketThatIsSentInTimeIsHidden) {
  for (const int workers : {2, 4}) {
    const double first = ring(kFirst, workers), second = ring(kSecond, workers);
    const double compute = 4 * second;  // its second half is longer than the second bucket
    const auto times = step({TopologyKind::ring, workers}, compute, "1Gbps,50us");
    for (const double end : times.end) EXPECT_NEAR(end, compute + first, kTolerance);
    for (const double hidden : times.hidden) EXPECT_NEAR(hidden, second, kTolerance);
  }
}

TEST(VirtualOverlap, InARingABucketThatIsLongHoldsUpTheNext) {
  for (const int workers : {2, 4}) {
    const double first = ring(kFirst, workers), second = ring(kSecond, workers);
    const double compute = second;  // its second half is shorter than the second bucket
    const auto times = step({TopologyKind::ring, workers}, compute, "1Gbps,50us");
    for (const double end : times.end) {
      EXPECT_NEAR(end, kReady * compute + second + first, kTolerance);
    }
    for (const double hidden : times.hidden) {
      EXPECT_NEAR(hidden, (1 - kReady) * compute, kTolerance);
    }
  }
}

TEST(VirtualOverlap, OfASlowWorkerAllWaitForTheBucketsOfIt) {
  const double first = ring(kFirst, 2), second = ring(kSecond, 2), compute = 4 * second;
  const auto times = step({TopologyKind::ring, 2}, compute, "1Gbps,50us,slow=1:3");
  // The word of the fast worker has already arrived when the slow worker begins, so the slow worker
  // ends one latency earlier.
  EXPECT_NEAR(times.end[0], 3 * compute + first, kTolerance);
  EXPECT_NEAR(times.end[1], 3 * compute + first - kLatency, kTolerance);
  // The fast worker exchanges its bucket from kReady to the end of its backward.
  EXPECT_NEAR(times.hidden[0], (1 - kReady) * compute, kTolerance);
  EXPECT_NEAR(times.hidden[1], second - kLatency, kTolerance);
}

// The time of a message of n floats without the latency.
double message(std::size_t n) {
  return (32 + 4 * static_cast<double>(n)) / kRate;
}

TEST(VirtualOverlap, OfAServerABucketThatIsSentInTimeIsHidden) {
  const double compute = 0.1;
  const auto times = step({TopologyKind::server, 2}, compute, "1Gbps,50us");
  const double at_server = kLatency + kWord + kLatency + message(kFirst);
  EXPECT_NEAR(times.end[0], compute + at_server, kTolerance);
  EXPECT_NEAR(times.end[1], compute + at_server + kLatency + message(kFirst), kTolerance);
  const double hidden = kLatency + kWord + kLatency + message(kSecond);
  EXPECT_NEAR(times.hidden[0], hidden, kTolerance);
  EXPECT_NEAR(times.hidden[1], hidden + kLatency + message(kSecond), kTolerance);
}

TEST(VirtualOverlap, OfAServerBucketsFollowEachOtherOnTheCards) {
  const double compute = 1e-6;
  const auto times = step({TopologyKind::server, 2}, compute, "1Gbps,50us");
  // The server has the sum of the second tensor and sends it; its next word follows on the same
  // NIC.
  const double has_second = kReady * compute + 2 * kLatency + kWord + message(kSecond);
  const double pulled_second = has_second + kLatency + message(kSecond);
  // The other worker pushes the first tensor after it has received that word, behind its own word.
  const double pushed_first = pulled_second + kWord;
  const double has_first = pushed_first + kLatency + message(kFirst);
  EXPECT_NEAR(times.end[0], has_first, kTolerance);
  EXPECT_NEAR(times.end[1], has_first + kLatency + message(kFirst), kTolerance);
}

TEST(VirtualOverlap, RepeatsToTheBit) {
  for (const auto kind : {TopologyKind::ring, TopologyKind::server}) {
    const auto run = [&] {
      return step({kind, 5}, 300e-6, "1Gbps,50us,jitter=20us,loss=0.01,slow=2:1.5", 20);
    };
    const auto first = run(), second = run();
    EXPECT_EQ(first.end, second.end);
    EXPECT_EQ(first.hidden, second.hidden);
  }
}

// ---- real time ----------------------------------------------------------------------------------

TEST(Overlap, ABucketIsExchangedWhileBackwardGoesOn) {
  run_workers({.workers = 2}, [](Worker& me) {
    toy::Gradients gradients({10, 20, 30});
    const auto own = std::this_thread::get_id();
    std::atomic<int> exchanged = 0;
    std::vector<std::int64_t> order;
    Overlap overlap(me, gradients.views(), {.bucket_bytes = 1}, [&](const Bucket& bucket) {
      const auto timed = me.time(Part::encode);
      EXPECT_NE(std::this_thread::get_id(), own);
      me.send(me.next(), {.worker = static_cast<std::uint16_t>(me.rank())}, {});
      me.recv(me.next(), {});
      order.push_back(bucket.first);
      ++exchanged;
    });
    for (int step = 0; step < 3; ++step) {
      order.clear();
      exchanged = 0;
      {
        const auto timed = me.time(Part::compute);
        overlap.complete(1);  // must wait for the bucket of tensor 2
        overlap.complete(2);
        while (exchanged < 2) std::this_thread::yield();  // both are sent before backward ends
      }
      overlap.finish();
      EXPECT_EQ(order, (std::vector<std::int64_t>{30, 10, 0}));
      EXPECT_GT(overlap.hidden_seconds(), 0);
      EXPECT_GT(me.times()[Part::encode], 0);
      EXPECT_LT(overlap.hidden_seconds(), me.times()[Part::compute]);
    }
    EXPECT_EQ(me.counters().messages_sent, 9);
  });
}

// A failure ends the run at once, although waits have a deadline of a minute. Returns the error's
// text.
using Fault = std::function<void(const Bucket&, Worker&)>;
std::string error_of(const Fault& in_exchange, FunctionRef<void(Worker&)> in_backward) {
  const auto start = std::chrono::steady_clock::now();
  std::string text;
  try {
    run_workers({.workers = 3, .deadline = std::chrono::minutes(1)}, [&](Worker& me) {
      toy::Gradients gradients({10, 20});
      Overlap overlap(me, gradients.views(), {.bucket_bytes = 1}, [&](const Bucket& bucket) {
        in_exchange(bucket, me);
        me.send(me.next(), {.worker = static_cast<std::uint16_t>(me.rank())}, {});
        me.recv(me.previous(), {});
      });
      overlap.complete(1);
      in_backward(me);
      overlap.complete(0);
      overlap.finish();
    });
  } catch (const std::exception& error) {
    text = error.what();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  return text;
}

TEST(Overlap, AnExchangeThatFailsEndsTheRun) {
  const auto text = error_of(
      [](const Bucket& bucket, Worker& me) {
        check(bucket.first == 10 || me.rank() != 1, "worker 1 cannot do the last bucket");
      },
      [](Worker&) {});
  EXPECT_EQ(text, "worker 1 cannot do the last bucket");
}

TEST(Overlap, ABackwardThatFailsEndsTheExchangeUnderWay) {
  std::atomic<int> waiting = 0;
  const auto text = error_of(
      [&](const Bucket&, Worker& me) {
        if (me.rank() != 1) return;
        ++waiting;
        me.recv(0, {.phase = 7});  // this packet is never sent
      },
      [&](Worker& me) {
        if (me.rank() != 1) return;
        while (waiting == 0) std::this_thread::yield();
        throw Error("worker 1 cannot go on");
      });
  EXPECT_EQ(text, "worker 1 cannot go on");
}

}  // namespace
}  // namespace terse
