// The summary of a run of processes, from how each of them has ended.
#include "tersegrad/comm/transport/ending.hpp"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <vector>

namespace terse {
namespace {

using Kind = Ending::Kind;
using List = std::vector<std::optional<Ending>>;
using std::chrono::milliseconds;

template <class Exception>
Ending thrown(const Exception& exception) {
  try {
    throw exception;
  } catch (...) {
    return Ending::of_exception();
  }
}

TEST(Ending, IsReadOffTheException) {
  EXPECT_EQ(thrown(CalledOff("a")).kind, Kind::called_off);
  EXPECT_EQ(thrown(Timeout("a")).kind, Kind::timeout);
  EXPECT_EQ(thrown(UsageError("a")).kind, Kind::usage);
  EXPECT_EQ(thrown(std::runtime_error("a")).kind, Kind::error);
  EXPECT_EQ(thrown(std::runtime_error("a")).text, "a");
  EXPECT_EQ(thrown(std::bad_alloc()).text, "out of memory");
  EXPECT_EQ(thrown(7).kind, Kind::error);
}

TEST(Ending, TheWorstKindIsNamedWithItsFirstWorker) {
  const Ending done, called_off{Kind::called_off, "called off"}, late{Kind::timeout, "late"};
  const Ending full{Kind::error, "the disk is full"}, hot{Kind::error, "hot"};
  const Ending flag{Kind::usage, "which flag?"};
  EXPECT_EQ(summary(List{done, done}).kind, Kind::done);
  EXPECT_EQ(summary(List{called_off, late, done}).text, "late");
  EXPECT_EQ(summary(List{called_off, late, full, hot}).text, "worker 2: the disk is full");
  EXPECT_EQ(summary(List{full, flag, late}).text, "worker 1: which flag?");
  EXPECT_EQ(summary(List{done, std::nullopt, hot}).text, "worker 2: hot");
}

TEST(Ending, WaitsBelongTogetherAndWhatAllSayIsNobodys) {
  const Ending first{Kind::timeout, "0 waits for 1"}, third{Kind::timeout, "2 waits for 1"};
  EXPECT_EQ(summary(List{first, std::nullopt, third}).text, "0 waits for 1; 2 waits for 1");
  const Ending flag{Kind::usage, "which flag?"};
  EXPECT_EQ(summary(List{flag, flag, flag}).text, "which flag?");
  EXPECT_EQ(summary(List{flag, flag, std::nullopt}).text, "worker 0: which flag?");
}

TEST(Ending, TheSummaryIsThrownAsWhatItIs) {
  EXPECT_NO_THROW(throw_summary(List{Ending{}, Ending{}}));
  EXPECT_THROW(throw_summary(List{Ending{}, Ending{Kind::usage, "a"}}), UsageError);
  EXPECT_THROW(throw_summary(List{Ending{}, Ending{Kind::timeout, "a"}}), Error);
}

TEST(Ending, WhoIsMissingIsNamed) {
  const Ending done, late{Kind::timeout, "late"};
  EXPECT_EQ(stuck_text(List{late, std::nullopt, done, std::nullopt}, 0, milliseconds(1500)),
            "late; and 1.5 s later not every worker has returned: 1, 3");
  EXPECT_EQ(stuck_text(List{std::nullopt, done}, 1, milliseconds(2000)),
            "worker 1 is done; and 2 s later not every worker has returned: 0");
  EXPECT_EQ(stuck_text(List{done, done}, 0, milliseconds(2000)),
            "worker 0 is done; and 2 s later not every worker has returned: messages are still in "
            "flight");
}

}  // namespace
}  // namespace terse
