// For every kind of worker failure, the run ends with one error that names the cause.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "run_errors.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

using std::chrono::milliseconds;

// A stall that lasts until another worker has failed, so that it does not depend on the speed of
// the machine. It ends after five seconds at the latest, because workers that take turns may fail
// before the others have run.
class Stall {
 public:
  void last() {
    begun_ = true;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(5), [&] { return over_; });
  }
  bool begun() const { return begun_; }
  // Runs the body. Ends the stall if the body throws.
  void unless(FunctionRef<void()> body) {
    try {
      body();
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        over_ = true;
      }
      changed_.notify_all();
      throw;
    }
  }

 private:
  std::atomic<bool> begun_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
};

// Short deadlines. on_stuck does nothing, because on a loaded machine workers may need longer than
// the deadline to return after a failure.
WorkerOptions impatient(int workers, Executor executor = Executor::concurrent) {
  return {.workers = workers,
          .deadline = milliseconds(100),
          .executor = executor,
          .on_stuck = [](const std::string&) {}};
}

// What the failing worker does at its step.
enum class Failure { throws, stalls, wrong_size, wrong_step, leaves };
constexpr int kFailures = 5;

struct Plan {
  int workers = 2, culprit = 0;
  std::uint64_t step = 0;
  Failure failure = Failure::throws;
  Executor executor = Executor::concurrent;
};

class Culprit : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Four steps of agree, all-reduce and barrier; the culprit fails at its step.
void work(Worker& me, const Plan& plan, Stall& stall) {
  Collectives together(me);
  std::vector<float> values(100);
  std::vector<std::uint64_t> words(static_cast<std::size_t>(me.size()));
  me.barrier();  // all workers have begun
  for (std::uint64_t step = 0; step < 4; ++step) {
    std::uint64_t agreed = step;
    if (me.rank() == plan.culprit && step == plan.step) {
      switch (plan.failure) {
        case Failure::throws:
          throw Culprit("the culprit");
        case Failure::stalls:
          stall.last();
          break;
        case Failure::wrong_size:
          values.resize(200);
          break;
        case Failure::wrong_step:
          agreed = step + 40;
          break;
        case Failure::leaves:
          return;
      }
    }
    if (plan.failure == Failure::wrong_step) together.agree(0, agreed, words);
    together.ring_all_reduce(values, {.step = agreed});
    me.barrier();
  }
}

void expect_right_text(const Plan& plan, const std::string& text, bool stalled) {
  const auto culprit = "worker " + std::to_string(plan.culprit);
  switch (plan.failure) {
    case Failure::throws:
      EXPECT_EQ(text, "the culprit");
      break;
    case Failure::stalls:
      // On a busy machine the wait for another worker may end at its deadline first.
      EXPECT_TRUE(says(text, "timeout: ")) << text;
      EXPECT_TRUE(!stalled || says(text, culprit + " is at work")) << text;
      break;
    case Failure::wrong_size:
      EXPECT_TRUE(says(text, culprit) && says(text, "; expected ")) << text;
      break;
    case Failure::wrong_step:
      EXPECT_TRUE(says(text, culprit) && says(text, "; expected ") && says(text, "step 4")) << text;
      break;
    case Failure::leaves:
      EXPECT_TRUE(says(text, "deadlock: ") && says(text, culprit + " has left")) << text;
      break;
  }
}

TEST(Failure, AnywhereEndsTheRunWithOneClearError) {
  Philox random(11, {.purpose = Purpose::test});
  for (int round = 0; round < 200; ++round) {
    Plan plan;
    plan.workers = 2 + static_cast<int>(random.below(4));
    plan.culprit = static_cast<int>(random.below(static_cast<std::uint64_t>(plan.workers)));
    plan.step = random.below(4);
    plan.failure = static_cast<Failure>(random.below(kFailures));
    const bool turns = random.below(2) != 0;
    // With turns there are no stalls: waits have no deadline.
    plan.executor =
        turns && plan.failure != Failure::stalls ? Executor::turns : Executor::concurrent;
    auto options = impatient(plan.workers, plan.executor);
    if (plan.failure != Failure::stalls) options.deadline = std::chrono::seconds(20);
    SCOPED_TRACE(testing::Message() << "round " << round);
    Stall stall;
    const auto text =
        error_of(options, [&](Worker& me) { stall.unless([&] { work(me, plan, stall); }); });
    expect_right_text(plan, text, stall.begun());
  }
}

TEST(Failure, TypeAndTextOfTheFirstExceptionArePreserved) {
  try {
    run_workers({.workers = 3}, [](Worker& me) {
      if (me.rank() == 1) throw Culprit("only me");
      me.barrier();
    });
    FAIL();
  } catch (const Culprit& error) {
    EXPECT_STREQ(error.what(), "only me");
  }
  EXPECT_THROW(run_workers({.workers = 2},
                           [](Worker& me) {
                             if (me.rank() == 0) throw 7;
                             me.barrier();
                           }),
               int);
}

TEST(Failure, TheOthersAreToldWhoCalledThemOff) {
  std::string told;
  error_of({.workers = 2}, [&](Worker& me) {
    if (me.rank() == 1) {
      me.barrier();  // the other has begun
      throw Culprit("out of memory");
    }
    try {
      me.barrier();
      me.recv(1, {});
    } catch (const Error& error) {
      told = error.what();
      throw;
    }
  });
  EXPECT_EQ(told, "worker 0 is called off: out of memory");
}

TEST(Timeout, SaysWhoWaitedForWhomForWhatAndHowLong) {
  Stall stall;
  const auto text = error_of(impatient(2), [&](Worker& me) {
    if (me.rank() == 1) stall.last();
    stall.unless(
        [&] { me.recv(1 - me.rank(), {.kind = PacketKind::down, .phase = 1, .step = 7}); });
  });
  EXPECT_TRUE(says(text,
                   "timeout: worker 0 waits for worker 1 (packet down of phase 1, step 7), for "
                   "0."))
      << text;
  EXPECT_TRUE(says(text, "worker 1 is at work")) << text;
}

TEST(Timeout, AStalledWorkerThatWakesLeavesAtItsNextCall) {
  Stall stall;
  std::atomic<bool> sent = false;
  error_of(impatient(2), [&](Worker& me) {
    if (me.rank() == 0) {
      stall.unless([&] { me.recv(1, {}); });
      return;
    }
    stall.last();
    me.send(0, Packet());
    sent = true;
  });
  EXPECT_FALSE(sent);
}

TEST(Timeout, ATurnMayTakeAnyTime) {
  for (const int workers : {1, 3}) {
    run_workers({.workers = workers, .deadline = milliseconds(20), .executor = Executor::turns},
                [](Worker& me) {
                  if (me.rank() == 0) std::this_thread::sleep_for(milliseconds(200));
                  me.barrier();
                });
  }
}

void compute_for(milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) {
  }
}

TEST(Timeout, IsForAWorkerThatMakesNoProgressNeverForWork) {
  run_workers({.workers = 3, .deadline = milliseconds(100)}, [](Worker& me) {
    if (me.rank() == 1) compute_for(milliseconds(600));
    if (me.rank() == 0) me.recv(2, {});
    if (me.rank() == 2) {  // worker 0 waits for worker 2, which waits for worker 1
      me.recv(1, {});
      me.send(0, Packet());
    }
    if (me.rank() == 1) me.send(2, Packet());
    me.barrier();
  });
}

TEST(Timeout, WorkAfterAFailureIsNoStallEither) {
  bool stuck = false;
  const WorkerOptions options{.workers = 2,
                              .deadline = milliseconds(100),
                              .on_stuck = [&](const std::string&) { stuck = true; }};
  const auto text = error_of(options, [](Worker& me) {
    check(me.rank() != 0, "the disk is full");
    compute_for(milliseconds(600));
  });
  EXPECT_EQ(text, "the disk is full");
  EXPECT_FALSE(stuck);
}

TEST(Timeout, WithDeadlineZeroThereIsNone) {
  run_workers({.workers = 2, .deadline = milliseconds(0)}, [](Worker& me) {
    if (me.rank() == 0) std::this_thread::sleep_for(milliseconds(50));
    me.barrier();
  });
}

TEST(Timeout, AWorkerThatNeverComesBackIsReported) {
  std::mutex mutex;
  std::condition_variable condition;
  bool released = false;
  std::string reported;
  const WorkerOptions options{
      .workers = 2, .deadline = milliseconds(50), .on_stuck = [&](const std::string& error) {
        const std::lock_guard lock(mutex);
        reported = error;
        released = true;
        condition.notify_all();
      }};
  const auto text = error_of(options, [&](Worker& me) {
    if (me.rank() == 0) {
      me.barrier();
      return;
    }
    std::unique_lock lock(mutex);
    condition.wait(lock, [&] { return released; });
  });
  EXPECT_TRUE(says(reported, text + "; and 0.05 s later not every worker has returned"))
      << reported;
}

TEST(TimeoutDeathTest, ByDefaultTheProcessEndsWithTheError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_workers({.workers = 2, .deadline = milliseconds(50)},
                          [](Worker& me) {
                            if (me.rank() == 0) me.barrier();
                            std::this_thread::sleep_for(std::chrono::seconds(60));
                          }),
              testing::ExitedWithCode(1), "not every worker has returned");
}

TEST(Deadlock, InTurnsIsFoundAtOnceAndSaysWhoWaitsForWhom) {
  const auto start = std::chrono::steady_clock::now();
  const auto text = error_of({.workers = 3, .executor = Executor::turns}, [](Worker& me) {
    if (me.rank() == 2) me.barrier();
    me.recv(me.next(), {.step = 3});
  });
  EXPECT_EQ(
      text,
      "deadlock: no worker can run; worker 0 waits for worker 1 (packet up of phase 0, step 3), "
      "worker 1 waits for worker 2 (packet up of phase 0, step 3), worker 2 waits at the barrier");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Deadlock, WaitingForOneThatHasLeftIsFoundAtOnce) {
  for (const auto executor : {Executor::concurrent, Executor::turns}) {
    const auto text = error_of({.workers = 2, .executor = executor}, [](Worker& me) {
      if (me.rank() == 0) me.recv(1, {});
    });
    EXPECT_TRUE(says(text, "worker 0 waits for worker 1")) << text;
    EXPECT_TRUE(says(text, "worker 1 has left")) << text;
  }
}

TEST(Disagreement, NamesBothWorkersAndBothValues) {
  const auto receive = [](const PacketHeader& header, std::size_t bytes, const Expected& expected) {
    return error_of({.workers = 2}, [&](Worker& me) {
      if (me.rank() == 1) me.send(0, Packet(header, bytes));
      if (me.rank() == 0) me.recv(1, expected);
    });
  };
  EXPECT_EQ(receive({.step = 7}, 0, {.step = 8}),
            "recv: worker 0 got a packet of step 7 from worker 1; expected step 8");
  EXPECT_EQ(receive({}, 0, {.kind = PacketKind::down}),
            "recv: worker 0 got a packet of kind up from worker 1; expected kind down");
  EXPECT_EQ(receive({}, 0, {.phase = 1}),
            "recv: worker 0 got a packet of phase 0 from worker 1; expected phase 1");
  EXPECT_EQ(receive({}, 12, {.payload_bytes = 16}),
            "recv: worker 0 got a payload of 12 bytes from worker 1; expected 16 bytes");
}

}  // namespace
}  // namespace terse
