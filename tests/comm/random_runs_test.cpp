// A thousand runs with random compressor, topology, number of workers, fault and step. Every run
// ends with the right result or with one clear error, and none hangs.
//
//   TERSE_RANDOM_RUNS=n    number of runs, instead of 1000
//   TERSE_RANDOM_SEED=s    seed of the first run; with TERSE_RANDOM_RUNS=1 repeats one run
//
// The expected result by fault:
//
//   none, delay           every worker has the parameters of the sequential reference, bit for bit
//   value attacks         the same: the reference is attacked in the same way
//   nan                   by the policy; for abort, the error names the worker and the step
//   checksum=keep         a changed packet is refused with the sender's name, or none was changed
//   other wire attacks    the packet is refused or decoded; the run ends
//   die                   the worker's own error, or the others continue and agree
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "run_errors.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/faults/faulty_endpoint.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

constexpr std::uint64_t kSteps = 6;
constexpr int kMostWorkers = 6;

enum class Fault {
  none,
  harmless,  // a delay
  value,     // a value attack
  nan,
  detected,  // a wire attack that keeps the checksum
  spoiled,   // a wire attack that makes a valid checksum
  death,
};

struct FaultKind {
  std::string_view name, options;
  Fault fault;
  bool once;  // only at one step
};

constexpr std::array<FaultKind, 16> kFaults{{
    {"none", "", Fault::none, false},
    {"sign-flip", "", Fault::value, false},
    {"random", "", Fault::value, false},
    {"zero", "", Fault::value, true},
    {"scale", "factor=-10", Fault::value, false},
    {"stale", "steps=2", Fault::value, false},
    {"collude", "", Fault::value, false},
    {"nan", "", Fault::nan, true},
    {"bit-flip", "rate=0.01", Fault::spoiled, true},
    {"bit-flip", "rate=0.01,checksum=keep", Fault::detected, true},
    {"drop", "", Fault::spoiled, true},
    {"duplicate", "", Fault::spoiled, true},
    {"delay", "ms=3", Fault::harmless, true},
    {"replay", "", Fault::spoiled, true},
    {"replay", "checksum=keep", Fault::detected, true},
    {"die", "", Fault::death, true},
}};

enum class Place { local, ring, tree, halving, server, shards };
constexpr std::array<std::string_view, 6> kPlaces{"local",   "ring",   "tree",
                                                  "halving", "server", "server, all shards"};

std::vector<std::string> compressors() {
  std::vector<std::string> specs{"vote", "topk:ratio=0.1+ef", "powersgd:rank=2+ef"};
  for (const auto& entry : compressor_registry()) specs.emplace_back(entry.example);
  return specs;
}

// All properties of a run, drawn from its seed.
struct Draw {
  explicit Draw(std::uint64_t number) : seed(number) {
    static const auto specs = compressors();
    const auto take = [&](std::size_t choices) {
      const auto chosen = static_cast<std::size_t>(number % choices);
      number /= choices;
      return chosen;
    };
    compressor = specs[take(specs.size())];
    place = static_cast<Place>(take(kPlaces.size()));
    fault = kFaults[take(kFaults.size())];
    Philox random(seed, {.purpose = Purpose::test});
    workers = 1 + static_cast<int>(random.below(kMostWorkers));
    attackers = 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(workers)));
    at = random.below(kSteps);
    policy = std::array{NonFinite::abort, NonFinite::skip_step, NonFinite::zero,
                        NonFinite::drop_worker}[random.below(4)];
    turns = random.below(2) == 1;
    on_failure = random.below(2) == 1 ? OnFailure::go_on : OnFailure::abort;
  }

  // A seed of a run with this compressor, topology and fault.
  static std::uint64_t seed_of(std::size_t compressor, std::size_t place, std::size_t fault,
                               std::uint64_t rest) {
    return compressor +
           compressors().size() * (place + kPlaces.size() * (fault + kFaults.size() * rest));
  }

  Attack attack() const {
    if (fault.fault == Fault::none) return {};
    std::string spec = fmt::format("{}:workers={}", fault.name, attackers);
    if (fault.once) spec += fmt::format(",at={}", at);
    if (!fault.options.empty()) spec += fmt::format(",{}", fault.options);
    return parse_attack(spec);
  }
  TopologyOptions topology() const {
    switch (place) {
      case Place::local:
        return {.kind = TopologyKind::local, .workers = workers};
      case Place::ring:
        return {.workers = workers};
      case Place::tree:
        return {.workers = workers, .all_reduce = AllReduce::tree};
      case Place::halving:
        return {.workers = workers, .all_reduce = AllReduce::halving};
      case Place::server:
        return {.kind = TopologyKind::server, .workers = workers};
      case Place::shards:
        return {.kind = TopologyKind::server, .workers = workers, .servers = workers};
    }
    return {};
  }
  // Whether the topology adds in the order of the reference.
  bool same_order() const { return place != Place::tree && place != Place::halving; }
  // The deadline of every wait. A wait for a dropped packet lasts until its deadline; all other
  // waits end long before.
  std::chrono::milliseconds deadline() const {
    return std::chrono::milliseconds(fault.name == "drop" ? 300 : 20'000);
  }
  Executor executor() const {
    return turns || place == Place::local ? Executor::turns : Executor::concurrent;
  }
  std::string text() const {
    return fmt::format(
        "TERSE_RANDOM_SEED={} TERSE_RANDOM_RUNS=1: {} over {}, {} workers{}, {}, "
        "non-finite {}, on failure {}",
        seed, compressor, kPlaces[static_cast<std::size_t>(place)], workers,
        executor() == Executor::turns ? " in turns" : "", to_string(attack()), to_string(policy),
        to_string(on_failure));
  }

  std::uint64_t seed;
  std::string compressor;
  Place place;
  FaultKind fault;
  int workers, attackers;
  std::uint64_t at;
  NonFinite policy;
  bool turns;
  OnFailure on_failure;
};

// A worker's replica of a model of matrices, a vector and a scalar. Its gradients are those of a
// quadratic, with noise that depends on the worker.
class Replica {
 public:
  Replica(Worker& me, const Draw& draw, const TopologyPlan& plan, const Attack& attack)
      : rank_(me.rank()),
        seed_(draw.seed),
        rule_(toy::rule_for(draw.compressor, "sgd")),
        optimizer_(me, parameters_, *rule_, make_compressor(draw.compressor), plan.join(me),
                   {.seed = draw.seed,
                    .non_finite = draw.policy,
                    .attack = attack,
                    .make_smaller_topology = smaller_topology_of(draw, plan)}) {}

  void step(std::uint64_t step) {
    Philox noise(seed_ + 1, {.purpose = Purpose::test,
                             .worker = static_cast<std::uint32_t>(rank_),
                             .step = static_cast<std::uint32_t>(step)});
    optimizer_.zero_grad();
    for (auto& tensor : tensors_) {
      std::vector<float> gradient(tensor.data().begin(), tensor.data().end());
      for (auto& value : gradient) value += 0.3F * noise.normal();
      tensor.backward(Tensor::from(tensor.shape(), gradient));
    }
    optimizer_.step(0.05F);
  }
  std::vector<float> parameters() {
    return {parameters_.values().begin(), parameters_.values().end()};
  }

 private:
  static std::function<std::unique_ptr<Topology>(Worker&)> smaller_topology_of(
      const Draw& draw, const TopologyPlan& plan) {
    if (draw.on_failure == OnFailure::abort && draw.policy != NonFinite::drop_worker) return {};
    return [&plan](Worker& me) { return plan.join_smaller(me); };
  }
  static Tensor ones(const Shape& shape) {
    Tensor t = Tensor::full(shape, 1);
    t.set_requires_grad();
    return t;
  }

  int rank_;
  std::uint64_t seed_;
  std::vector<Tensor> tensors_{ones({8, 6}), ones({7}), ones({12, 5}), ones({1})};
  ParameterBuffer parameters_{std::vector<ParameterBuffer::Named>{
      {"a", tensors_[0]}, {"b", tensors_[1]}, {"c", tensors_[2]}, {"d", tensors_[3]}}};
  std::unique_ptr<UpdateRule> rule_;
  DistributedOptimizer optimizer_;
};

// The result of a run: the parameters of the workers that reached the end, or an error.
struct Outcome {
  std::vector<std::vector<float>> parameters;
  std::optional<std::string> error;
  bool refused = false;  // the error came before the run began
  bool stuck = false;

  bool replicas_agree() const {
    return std::ranges::all_of(parameters, [&](const auto& one) {
      return one.empty() || std::ranges::equal(std::as_bytes(std::span(one)),
                                               std::as_bytes(std::span(parameters.front())));
    });
  }
};

Outcome run(const Draw& draw, const TopologyOptions& topology, Executor executor) {
  Outcome outcome;
  outcome.parameters.resize(static_cast<std::size_t>(draw.workers));
  const auto attack = draw.attack();
  std::optional<TopologyPlan> plan;
  try {
    plan.emplace(topology, *make_compressor(draw.compressor));
  } catch (const UsageError& error) {
    outcome.error = error.what();
    outcome.refused = true;
    return outcome;
  }
  try {
    run_workers({.workers = draw.workers,
                 .deadline = draw.deadline(),
                 .executor = executor,
                 .on_failure = draw.on_failure,
                 .on_stuck = [&](const std::string&) { outcome.stuck = true; }},
                [&](Worker& me) {
                  install_faults(me, attack, draw.seed);
                  Replica replica(me, draw, *plan, attack);
                  for (std::uint64_t step = 0; step < kSteps; ++step) replica.step(step);
                  outcome.parameters[static_cast<std::size_t>(me.rank())] = replica.parameters();
                });
  } catch (const std::exception& error) {
    outcome.error = error.what();
  }
  return outcome;
}

// The same run on the sequential reference, which sends no messages that could be attacked.
Outcome reference(const Draw& draw) {
  return run(draw, {.kind = TopologyKind::local, .workers = draw.workers}, Executor::turns);
}

void expect_reference(const Draw& draw, const Outcome& outcome) {
  ASSERT_FALSE(outcome.error) << *outcome.error;
  EXPECT_TRUE(outcome.replicas_agree());
  const auto wanted = reference(draw);
  ASSERT_FALSE(wanted.error) << *wanted.error;
  for (std::size_t w = 0; w < wanted.parameters.size(); ++w) {
    EXPECT_EQ(outcome.parameters[w].empty(), wanted.parameters[w].empty()) << "worker " << w;
  }
  const auto &ours = outcome.parameters.front(), &theirs = wanted.parameters.front();
  if (draw.same_order()) {
    EXPECT_TRUE(
        std::ranges::equal(std::as_bytes(std::span(ours)), std::as_bytes(std::span(theirs))))
        << "not the reference's bits";
  }
}

void check_outcome(const Draw& draw, const Outcome& outcome) {
  EXPECT_FALSE(outcome.stuck) << "a worker has not come back";
  EXPECT_FALSE(outcome.error && draw.fault.name != "drop" && says(*outcome.error, "timeout"))
      << *outcome.error;
  if (outcome.refused) {
    EXPECT_GT(outcome.error->size(), 20U) << "a refusal says why";
    return;
  }
  switch (draw.fault.fault) {
    case Fault::none:
    case Fault::harmless:
    case Fault::value:
      return expect_reference(draw, outcome);
    case Fault::nan:
      if (draw.policy == NonFinite::drop_worker ? draw.attackers < draw.workers
                                                : draw.policy != NonFinite::abort) {
        return expect_reference(draw, outcome);
      }
      ASSERT_TRUE(outcome.error);
      EXPECT_TRUE(says(*outcome.error, fmt::format("on worker {} at step {}",
                                                   draw.workers - draw.attackers, draw.at)))
          << *outcome.error;
      return;
    case Fault::detected:
      if (!outcome.error) return expect_reference(draw, outcome);
      EXPECT_TRUE(
          says(*outcome.error, draw.fault.name == "replay"
                                   ? fmt::format("a packet of step {} from worker ", draw.at - 1)
                                   : "a broken packet from worker "))
          << *outcome.error;
      return;
    case Fault::spoiled:
      if (outcome.error) {
        EXPECT_TRUE(says(*outcome.error, "worker") || says(*outcome.error, "packet"))
            << *outcome.error;
      }
      if (draw.place == Place::local || draw.workers == 1) expect_reference(draw, outcome);
      return;
    case Fault::death:
      if (draw.on_failure == OnFailure::go_on && draw.attackers < draw.workers) {
        return expect_reference(draw, outcome);
      }
      ASSERT_TRUE(outcome.error);
      EXPECT_TRUE(says(*outcome.error, "die")) << *outcome.error;
      return;
  }
}

// Ends the process if a run takes far too long.
class Watchdog {
 public:
  explicit Watchdog(const Draw& draw)
      : thread_([this, text = draw.text()] {
          std::unique_lock lock(mutex_);
          if (over_.wait_for(lock, std::chrono::seconds(60), [this] { return is_over_; })) return;
          fmt::print(stderr, "hangs: {}\n", text);
          std::_Exit(1);
        }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    over_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread thread_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The seeds of `runs` runs in which every compressor, topology and fault occurs equally often. Each
// of the three has a deck of cards, which is reshuffled when it is used up.
std::vector<std::uint64_t> seeds(std::uint64_t first, std::uint64_t runs) {
  if (runs == 1) return {first};
  Philox random(first, {.purpose = Purpose::test});
  struct Deck {
    std::size_t size;
    std::vector<std::size_t> cards;
    std::size_t draw(Philox& by) {
      if (cards.empty()) {
        for (std::size_t card = 0; card < size; ++card) cards.push_back(card);
      }
      std::swap(cards[by.below(cards.size())], cards.back());
      const auto card = cards.back();
      cards.pop_back();
      return card;
    }
  };
  Deck compressor{compressors().size(), {}}, place{kPlaces.size(), {}}, fault{kFaults.size(), {}};
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < runs; ++i) {
    const auto c = compressor.draw(random), p = place.draw(random), f = fault.draw(random);
    all.push_back(Draw::seed_of(c, p, f, random.below(std::uint64_t{1} << 32)));
  }
  return all;
}

using Counts = std::map<std::string, int>;

void print_counts(const char* title, const Counts& counts) {
  std::string line = fmt::format("{}:", title);
  for (const auto& [name, count] : counts) {
    const auto item = fmt::format(" {} {},", name, count);
    if (line.size() + item.size() > 80) {
      fmt::print("{}\n", line);
      line = " ";
    }
    line += item;
  }
  line.back() = '.';
  fmt::print("{}\n", line);
}

TEST(RandomRuns, EndInTheRightResultOrOneClearError) {
  const auto first = number_from("TERSE_RANDOM_SEED", 1);
  const auto runs = number_from("TERSE_RANDOM_RUNS", 1000);
  Counts of_compressor, of_topology, of_fault, of_end;
  for (const auto seed : seeds(first, runs)) {
    const Draw draw(seed);
    SCOPED_TRACE(draw.text());
    const Watchdog watchdog(draw);
    const auto outcome = run(draw, draw.topology(), draw.executor());
    check_outcome(draw, outcome);
    ++of_compressor[draw.compressor];
    ++of_topology[std::string(kPlaces[static_cast<std::size_t>(draw.place)])];
    const auto checksum = draw.attack().keep_checksum ? ", checksum=keep" : "";
    ++of_fault[fmt::format("{}{}", draw.fault.name, checksum)];
    ++of_end[outcome.refused ? "refused" : outcome.error ? "one error" : "to the end"];
  }
  fmt::print("{} runs drawn with TERSE_RANDOM_SEED={}\n", runs, first);
  print_counts("ended", of_end);
  print_counts("compressors", of_compressor);
  print_counts("topologies", of_topology);
  print_counts("faults", of_fault);
  if (runs < 1000) return;
  for (const auto* counts : {&of_compressor, &of_topology, &of_fault}) {
    for (const auto& [name, count] : *counts) EXPECT_GE(count, 10) << name;
  }
}

// The shards change their owners, so no state of an owner may decide the result.
TEST(RandomRuns, EveryCompressorContinuesWithoutAnOwner) {
  for (std::size_t compressor = 0; compressor < compressors().size(); ++compressor) {
    Draw draw(compressor);
    draw.place = Place::shards;
    draw.fault = kFaults.back();
    draw.workers = 5;
    draw.attackers = 1;
    draw.at = 2;
    draw.policy = NonFinite::abort;
    draw.turns = true;
    draw.on_failure = OnFailure::go_on;
    SCOPED_TRACE(draw.compressor);
    ASSERT_EQ(draw.fault.name, "die");
    check_outcome(draw, run(draw, draw.topology(), draw.executor()));
  }
}

}  // namespace
}  // namespace terse
