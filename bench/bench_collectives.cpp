// All-reduce between workers on one machine, of ResNet-18's gradient (44.7 MB) and of 4 KB:
//
//   owners     server algorithm, one shard per worker, in shared memory
//   reading    ring algorithm that reads the neighbour's memory in place
//   messages   ring algorithm that copies through mailboxes; it also works between machines
//   barrier    one barrier of all workers, a lower bound for the others
//   idle       CPU time of W - 1 workers that wait 200 ms for one that sleeps
//
//   bench_collectives --workers 4 [--repetitions 15]
//
// prints a line `name workers bytes microseconds` for each. The time is the median over the
// repetitions of the time from the start of the first worker to the end of the last one. A
// repetition of 4 KB is the mean of 1000 consecutive calls. collectives_against compares the
// results with gloo and OpenMPI.
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/collectives/shared_all_reduce.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/buffer.hpp"

namespace {

using namespace terse;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kResNet18 = 11'173'962, kSmall = 1024;

using Operation = std::function<void(Worker&, std::span<float>)>;

const std::vector<std::pair<std::string_view, Operation>> kOperations = {
    {"owners", [](Worker& me, auto values) { direct_all_reduce(me, me.size(), values, 1, {}); }},
    {"reading", [](Worker& me, auto values) { pull_ring_all_reduce(me, values, 1, {}); }},
    {"messages", [](Worker& me, auto values) { Collectives(me).ring_all_reduce(values, {}); }},
    {"barrier", [](Worker& me, auto) { me.barrier(); }}};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Seconds per operation: the median of the repetitions.
double seconds_of(const Operation& operation, int workers, std::size_t n, int in_a_row,
                  int repetitions) {
  std::vector<Clock::time_point> start(static_cast<std::size_t>(workers)), end(start);
  std::vector<double> seconds;
  run_workers({.workers = workers, .verify = Verify::header}, [&](Worker& me) {
    Buffer<float> memory(static_cast<std::int64_t>(n));  // in huge pages, as parameters are
    const auto values = memory.span();
    const auto own = static_cast<std::size_t>(me.rank());
    for (int repetition = -1; repetition < repetitions; ++repetition) {  // the first warms up
      std::ranges::fill(values, 1.0F);
      me.barrier();
      start[own] = Clock::now();
      for (int i = 0; i < in_a_row; ++i) operation(me, values);
      end[own] = Clock::now();
      me.barrier();
      if (me.rank() == 0 && repetition >= 0) {
        const auto time = std::ranges::max(end) - std::ranges::min(start);
        seconds.push_back(std::chrono::duration<double>(time).count() / in_a_row);
      }
    }
  });
  return median(seconds);
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double idle_seconds(int workers) {
  double seconds = 0;
  run_workers({.workers = workers}, [&](Worker& me) {
    me.barrier();
    if (me.rank() == 0) {
      const double before = processor_seconds();
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      seconds = processor_seconds() - before;
    }
    me.barrier();
  });
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  int workers = 4, repetitions = 15;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--workers") workers = std::stoi(argv[i + 1]);
    if (flag == "--repetitions") repetitions = std::stoi(argv[i + 1]);
  }
  const auto print = [&](std::string_view name, std::size_t bytes, double seconds) {
    fmt::print("{} {} {} {:.2f}\n", name, workers, bytes, 1e6 * seconds);
  };
  for (const auto& [name, operation] : kOperations) {
    if (name != "barrier") {
      print(name, kResNet18 * sizeof(float),
            seconds_of(operation, workers, kResNet18, 1, repetitions));
    }
    print(name, kSmall * sizeof(float), seconds_of(operation, workers, kSmall, 1000, repetitions));
  }
  print("idle", 0, idle_seconds(workers));
}
