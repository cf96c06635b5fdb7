// Fuzz test with hostile checkpoints: the saved states of workers and of asynchronous runs with
// bytes that are flipped or cut off and counts that are replaced. Loading one must throw an Error
// or give a state from which the next steps give values or an Error; nothing may be read or written
// outside of its memory, and no allocation may depend on a count that the file does not back.
//
// TERSE_FUZZ_STATES sets the number of mutations of all states together (20 000 by default):
//
//   cmake --preset asan && cmake --build --preset asan --target state_fuzz_test
//   TERSE_FUZZ_STATES=100000 build/asan/bin/state_fuzz_test
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "async_toys.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/training/local_sgd.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse {
namespace {

std::int64_t mutation_count() {
  const char* wanted = std::getenv("TERSE_FUZZ_STATES");
  return wanted == nullptr ? 20'000 : std::atoll(wanted);
}

using Bytes = std::vector<std::byte>;

// Replaces a value of an array of whole numbers by an extreme one, or changes bytes anywhere.
Bytes mutate(Bytes bytes, Philox& random) {
  for (auto changes = 1 + random.below(2); changes > 0; --changes) {
    const auto place = random.below(bytes.size());
    switch (random.below(4)) {
      case 0: {  // a count, a number of a worker, a position
        const Safetensors file("sample", bytes);
        std::vector<std::span<const std::byte>> numbers;
        for (const auto& [name, array] : file.arrays()) {
          const bool whole = array.type == "U64" || array.type == "I64" || array.type == "U32";
          if (whole && !array.data.empty()) numbers.push_back(array.data);
        }
        if (numbers.empty()) break;
        const auto chosen = numbers[random.below(numbers.size())];
        const std::uint64_t values[] = {0,     1,         7, 1U << 20, std::uint64_t{1} << 40,
                                        ~0ULL, ~0ULL >> 1};
        const auto value = values[random.below(std::size(values))];
        const auto at = static_cast<std::size_t>(chosen.data() - bytes.data()) +
                        8 * random.below(std::max<std::size_t>(1, chosen.size() / 8));
        std::memcpy(bytes.data() + at, &value, std::min<std::size_t>(8, bytes.size() - at));
        break;
      }
      case 1:
        bytes[place] = static_cast<std::byte>(random.next());
        break;
      case 2:
        bytes[place] ^= static_cast<std::byte>(1U << random.below(8));
        break;
      default:
        if (random.below(8) == 0) {
          bytes.resize(place + 1);
          return bytes;
        }
    }
    try {
      Safetensors("sample", bytes);
    } catch (const Error&) {
      return bytes;  // no more changes of a file that cannot be parsed
    }
  }
  return bytes;
}

// Worker 0 of 1 over the topology local.
struct Subject {
  Subject(Worker& me, const TopologyPlan& plan, const std::string& compressor, bool local)
      : optimizer(me, model.parameters, *rule, make_compressor(compressor), plan.join(me),
                  {.seed = 3}) {
    if (!local) return;
    averages.emplace(me, model.parameters, *rule, make_update_rule("sgd:momentum=0.9"),
                     make_compressor(compressor), plan.join(me), LocalSgd::Options{.every = 2});
  }
  void step(std::uint64_t number) {
    optimizer.zero_grad();
    const auto g = toy::bowl_gradient(model.parameters.values(), 0, number);
    model.a.backward(Tensor::from({6, 15}, std::span(g).first(90)));
    model.b.backward(Tensor::from({10}, std::span(g).subspan(90)));
    averages ? averages->step(0.01F) : optimizer.step(0.01F);
  }
  void serialize(Archive& archive) {
    averages ? averages->serialize(archive) : optimizer.serialize(archive);
  }

  toy::Bowl model;
  std::unique_ptr<UpdateRule> rule = make_update_rule("adam");
  DistributedOptimizer optimizer;
  std::optional<LocalSgd> averages;
};

struct Counts {
  std::int64_t loads = 0, errors = 0;
};

void expect_errors_and_loads(const Counts& counts) {
  EXPECT_GT(counts.loads, 0);
  EXPECT_GT(counts.errors, 0);
}

void fuzz_worker(const std::string& spec, bool local, std::int64_t mutations, Philox& random,
                 Counts& counts) {
  const auto compressor = make_compressor(spec);
  const TopologyPlan plan({.kind = TopologyKind::local}, *compressor);
  run_workers({.workers = 1, .executor = Executor::turns}, [&](Worker& me) {
    Subject first(me, plan, spec, local);
    for (std::uint64_t step = 0; step < 3; ++step) first.step(step);
    const auto sample = safetensors_of([&](Archive& archive) { first.serialize(archive); });
    for (std::int64_t i = 0; i < mutations; ++i) {
      const auto bytes = mutate(sample, random);
      Subject other(me, plan, spec, local);
      try {
        load_safetensors("mutated", bytes, [&](Archive& archive) { other.serialize(archive); });
        ++counts.loads;
        for (std::uint64_t step = 3; step < 5; ++step) other.step(step);
      } catch (const std::exception&) {
        ++counts.errors;
      }
    }
  });
}

TEST(StateFuzz, OfEveryCompressor) {
  std::vector<std::string> specs;
  for (const auto& entry : compressor_registry()) specs.emplace_back(entry.example);
  for (const char* more : {"topk:ratio=0.1+ef", "sign+ef", "powersgd:rank=2+ef", "vote"}) {
    specs.emplace_back(more);
  }
  const auto each = std::max<std::int64_t>(1, mutation_count() * 15 / 16 / std::ssize(specs));
  Philox random(31, {});
  Counts counts;
  for (const auto& spec : specs) {
    SCOPED_TRACE(spec);
    fuzz_worker(spec, false, each, random, counts);
  }
  fuzz_worker("topk:ratio=0.1+ef", true, each, random, counts);
  expect_errors_and_loads(counts);
  RecordProperty("loads", std::to_string(counts.loads));
  RecordProperty("errors", std::to_string(counts.errors));
}

TEST(StateFuzz, OfAsynchronousRuns) {
  std::vector<AsyncOptions> runs(4, {.workers = 3, .seed = 5, .compressor = "topk:ratio=0.1+ef"});
  runs[0].rule = "softsync:n=1+dc_asgd";
  runs[1].network = parse_network("1gbe,jitter=20us");
  runs[1].sparse_pulls = true;
  runs[2].delays = "uniform:most=4";
  runs[3].bound = 2;
  const auto each = std::max<std::int64_t>(1, mutation_count() / 16 / std::ssize(runs));
  Philox random(37, {});
  Counts counts;
  for (auto& options : runs) {
    // Runs to 8 updates, and to 12 from the state after 8.
    const auto play = [&](std::uint64_t updates, const Bytes* from) {
      options.updates = updates;
      toy::Bowl model;
      const auto rule = make_update_rule("sgd:momentum=0.9");
      Bytes saved;
      AsyncRun run{
          .parameters = model.parameters,
          .update = *rule,
          .make_learner = [](int worker) { return std::make_unique<toy::BowlLearner>(worker); },
          .rate = [](std::uint64_t) { return 0.01F; },
          .after_update =
              [&](std::uint64_t version, Serialize state) {
                if (version == updates) saved = safetensors_of(state);
                return true;
              }};
      if (from != nullptr) {
        run.resume = [&](Serialize state) {
          load_safetensors("mutated", *from, state);
          ++counts.loads;
        };
      }
      run_async(options, run);
      return saved;
    };
    const auto sample = play(8, nullptr);
    for (std::int64_t i = 0; i < each; ++i) {
      const auto bytes = mutate(sample, random);
      try {
        play(12, &bytes);
      } catch (const std::exception&) {
        ++counts.errors;
      }
    }
  }
  expect_errors_and_loads(counts);
}

}  // namespace
}  // namespace terse
