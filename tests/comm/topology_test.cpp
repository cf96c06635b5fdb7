// All topologies give the same bits for every kind of exchange.
#include "tersegrad/comm/topology/topology.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

using MakeCompressor = std::function<std::unique_ptr<Compressor>()>;

struct Setting {
  TopologyOptions topology;
  Executor executor = Executor::concurrent;
  enum class Read { written, in_pieces, over_gradients } read = Read::written;
};

constexpr int kSteps = 3;

// Reads all values in pieces whose size divides neither tensors nor shards.
void read_in_pieces(const GradientSource& source, std::span<float> values) {
  constexpr std::size_t kPiece = 37;
  for (std::size_t at = 0; at < values.size(); at += kPiece) {
    const auto scratch = values.subspan(at, std::min(kPiece, values.size() - at));
    const auto read = source.read(static_cast<std::int64_t>(at), scratch);
    if (read.data() != scratch.data()) std::ranges::copy(read, scratch.begin());
  }
}

// By worker: the mean gradients of all steps, one after the other.
std::vector<std::vector<float>> means_of(const Setting& run, const std::vector<std::size_t>& sizes,
                                         const MakeCompressor& make) {
  const TopologyPlan plan(run.topology, *make());
  std::vector<std::vector<float>> means(static_cast<std::size_t>(run.topology.workers));
  run_workers({.workers = run.topology.workers, .executor = run.executor}, [&](Worker& me) {
    const auto topology = plan.join(me);
    const auto compressor = make();
    toy::Gradients gradients(sizes), mean(sizes);
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      gradients.fill(me.rank(), step);
      const Round round{.seed = 1, .step = step};
      if (run.read == Setting::Read::in_pieces) {
        auto read = mean.values;
        topology->run(*compressor, round, gradients.views(), mean.views(),
                      [&](const GradientSource& source) { read_in_pieces(source, read); });
        mean.values = read;
      } else if (run.read == Setting::Read::over_gradients) {
        toy::exchange_mean(*topology, *compressor, round, gradients.views(), gradients.views());
        mean.values = gradients.values;
      } else {
        toy::exchange_mean(*topology, *compressor, round, gradients.views(), mean.views());
      }
      auto& all = means[static_cast<std::size_t>(me.rank())];
      all.insert(all.end(), mean.values.begin(), mean.values.end());
    }
  });
  return means;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

struct Kind {
  std::string name;
  MakeCompressor make;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

std::vector<Kind> kinds() {
  return {{"Linear", [] { return std::make_unique<toy::Plain>(); }},
          {"TwoPhases", [] { return std::make_unique<toy::Scaled>(); }},
          {"Sliceable", [] { return std::make_unique<toy::Vote>(); }},
          {"SliceableTwoPlanes", [] { return std::make_unique<toy::Vote>(2); }},
          {"CoinsOfTheWorkers", [] { return make_compressor("vote"); }},
          {"SumOfHalves", [] { return make_compressor("bf16:reduce=wide"); }},
          {"HopsOfHalves", [] { return make_compressor("bf16:reduce=hop"); }},
          {"GatheredVotes", [] { return make_compressor("vote:exchange=gather"); }},
          {"Gathered", [] { return std::make_unique<toy::Peaks>(); }},
          {"WholeModel", [] { return std::make_unique<toy::Peaks>(true); }},
          {"Uncompressed", [] { return make_compressor("none"); }},
          {"ReadInBlocks", [] { return make_compressor("sign+ef"); }}};
}

class EveryTopology : public testing::TestWithParam<std::tuple<Kind, int>> {};
INSTANTIATE_TEST_SUITE_P(All, EveryTopology,
                         testing::Combine(testing::ValuesIn(kinds()),
                                          testing::Values(1, 2, 3, 4, 7)),
                         [](const auto& suite) {
                           return std::get<0>(suite.param).name + "W" +
                                  std::to_string(std::get<1>(suite.param));
                         });

TEST_P(EveryTopology, GivesTheBitsOfTheLocalReference) {
  const auto& [kind, workers] = GetParam();
  const std::vector<std::vector<std::size_t>> models = {
      {}, {1}, {100, 0, 33, 7, 400, 1}, {2, 2, 2, 2, 2, 2, 2, 2, 2, 2}};
  for (const auto& sizes : models) {
    const auto reference =
        means_of({{TopologyKind::local, workers}, Executor::turns}, sizes, kind.make);
    for (const auto& mean : reference) EXPECT_TRUE(same_bits(mean, reference.front()));

    std::vector<Setting> runs = {{{TopologyKind::local, workers}, Executor::concurrent},
                                 {{TopologyKind::ring, workers}, Executor::concurrent},
                                 {{TopologyKind::ring, workers}, Executor::turns},
                                 {{TopologyKind::server, workers, workers}, Executor::turns}};
    for (int servers = 1; servers <= workers; ++servers) {
      runs.push_back({{TopologyKind::server, workers, servers}, Executor::concurrent});
    }
    for (auto run : std::vector(runs)) {
      for (const auto read : {Setting::Read::in_pieces, Setting::Read::over_gradients}) {
        run.read = read;
        runs.push_back(run);
      }
    }
    for (const auto& run : runs) {
      for (const auto& mean : means_of(run, sizes, kind.make)) {
        EXPECT_TRUE(same_bits(mean, reference.front()))
            << to_string(run.topology.kind) << " of " << run.topology.servers
            << " servers, model of " << sizes.size() << " tensors"
            << ", read in the way " << static_cast<int>(run.read);
      }
    }
  }
}

// Ties among an even number of workers, and zeros, are decided by the same coins.
TEST(Topology, GatheredVotesAreThoseOfSlices) {
  for (const std::string rules : {"", "tie=zero,", "zero=zero,", "beta=0.9,"}) {
    for (const int workers : {1, 2, 3, 4}) {
      const std::vector<std::size_t> sizes{100, 0, 33, 7, 400, 1};
      const auto means = [&](const TopologyOptions& options, const std::string& exchange) {
        return means_of({options}, sizes,
                        [&] { return make_compressor("vote:" + rules + "exchange=" + exchange); });
      };
      const auto slices = means({TopologyKind::ring, workers}, "slices");
      EXPECT_EQ(means({TopologyKind::ring, workers}, "gather"), slices) << rules << workers;
      EXPECT_EQ(means({TopologyKind::server, workers, (workers + 1) / 2}, "gather"), slices);
    }
  }
}

TEST(Topology, TheMeanOfEqualGradientsIsTheGradient) {
  const TopologyPlan plan({TopologyKind::ring, 4}, toy::Plain());
  run_workers({.workers = 4}, [&](Worker& me) {
    toy::Gradients gradients({40, 60}), mean({40, 60});
    gradients.fill(0, 0);
    toy::Plain plain;
    toy::exchange_mean(*plan.join(me), plain, {}, gradients.views(), mean.views());
    EXPECT_EQ(mean.values, gradients.values);
  });
}

TEST(Topology, AGatherCombinesOnEveryWorkerOfARingAndOnTheOwnersOfAServer) {
  const auto combined = [](const TopologyOptions& options) {
    const TopologyPlan plan(options, toy::Peaks());
    std::vector<int> calls(static_cast<std::size_t>(options.workers));
    run_workers({.workers = options.workers}, [&](Worker& me) {
      toy::Gradients gradients({40, 60}), mean({40, 60});
      toy::Peaks peaks;
      toy::exchange_mean(*plan.join(me), peaks, {}, gradients.views(), mean.views());
      calls[static_cast<std::size_t>(me.rank())] = peaks.combined();
    });
    return calls;
  };
  EXPECT_EQ(combined({TopologyKind::ring, 3}), (std::vector{1, 1, 1}));
  EXPECT_EQ(combined({TopologyKind::server, 3, 1}), (std::vector{1, 0, 0}));
  EXPECT_EQ(combined({TopologyKind::server, 3, 2}), (std::vector{1, 1, 0}));
  EXPECT_EQ(combined({TopologyKind::local, 3}), (std::vector{1, 0, 0}));
}

TEST(Topology, AServersShardsAreBucketsOfWholeTensors) {
  using Buckets = std::vector<toy::Peaks::Bucket>;
  const auto buckets = [](const TopologyOptions& options, bool whole_model) {
    const TopologyPlan plan(options, toy::Peaks(whole_model));
    Buckets encoded;
    run_workers({.workers = options.workers}, [&](Worker& me) {
      toy::Gradients gradients({40, 60, 50}), mean({40, 60, 50});
      toy::Peaks peaks(whole_model);
      toy::exchange_mean(*plan.join(me), peaks, {}, gradients.views(), mean.views());
      if (me.rank() == 0) encoded = peaks.buckets();
    });
    return encoded;
  };
  EXPECT_EQ(buckets({TopologyKind::ring, 3}, false), (Buckets{{0, 150}}));
  EXPECT_EQ(buckets({TopologyKind::server, 3, 2}, false), (Buckets{{0, 100}, {100, 50}}));
  EXPECT_EQ(buckets({TopologyKind::server, 3, 3}, false), (Buckets{{0, 40}, {40, 60}, {100, 50}}));
  EXPECT_EQ(buckets({TopologyKind::server, 3, 3}, true), (Buckets{{0, 150}}));
}

TEST(Topology, TimesItsPhasesOnTheWorker) {
  const TopologyPlan plan({TopologyKind::ring, 2}, toy::Vote());
  run_workers({.workers = 2}, [&](Worker& me) {
    toy::Gradients gradients({100000}), mean({100000});
    toy::Vote vote;
    toy::exchange_mean(*plan.join(me), vote, {}, gradients.views(), mean.views());
    for (const auto part : {Part::encode, Part::exchange, Part::decode}) {
      EXPECT_GT(me.times()[part], 0);
    }
    EXPECT_EQ(me.times()[Part::compute], 0);
  });
}

TEST(Topology, AnswersOfUnequalPlanesAreRefused) {
  const TopologyPlan plan({TopologyKind::ring, 3}, toy::Vote());
  try {
    run_workers({.workers = 3}, [&](Worker& me) {
      toy::Gradients gradients({300}), mean({300});
      toy::Vote vote(1, 2);
      toy::exchange_mean(*plan.join(me), vote, {}, gradients.views(), mean.views());
    });
    FAIL();
  } catch (const PacketError& error) {
    EXPECT_STREQ(error.what(),
                 "slices: expected the same number of bit planes in all down packets; got 1 from "
                 "worker 0 and 2 from worker 2");
  }
}

TEST(Topology, WorkersWithModelsOfDifferentSizesAreAnError) {
  for (const auto& kind : kinds()) {
    if (kind.name == "Gathered" || kind.name == "WholeModel") continue;  // sizes may differ
    for (const auto& options :
         {TopologyOptions{TopologyKind::local, 3}, TopologyOptions{TopologyKind::ring, 3},
          TopologyOptions{TopologyKind::server, 3, 2}}) {
      const TopologyPlan plan(options, *kind.make());
      const auto run = [&] {
        run_workers({.workers = 3}, [&](Worker& me) {
          std::vector<std::size_t> sizes = {300};
          if (me.rank() == 1) sizes = {364, 5};
          toy::Gradients gradients(sizes), mean(sizes);
          toy::exchange_mean(*plan.join(me), *kind.make(), {}, gradients.views(), mean.views());
        });
      };
      EXPECT_THROW(run(), PacketError) << kind.name << " over " << to_string(options.kind);
    }
  }
}

TEST(TopologyPlan, RefusesWhatCannotWork) {
  const toy::Plain plain;
  EXPECT_THROW(TopologyPlan({TopologyKind::server, 2, 3}, plain), UsageError);
  EXPECT_THROW(TopologyPlan({TopologyKind::server, 2, 0}, plain), UsageError);
  EXPECT_THROW(TopologyPlan({TopologyKind::ring, 4, 2}, plain), UsageError);
  EXPECT_THROW(TopologyPlan({TopologyKind::ring, 0}, plain), UsageError);
  EXPECT_THROW(TopologyPlan({TopologyKind::ring, 70000}, plain), UsageError);
  const TopologyPlan plan({TopologyKind::ring, 3}, plain);
  EXPECT_THROW(run_workers({.workers = 2}, [&](Worker& me) { plan.join(me); }), Error);
}

TEST(TopologyPlan, ReadsTheNamesThatItPrints) {
  for (const auto kind : {TopologyKind::local, TopologyKind::ring, TopologyKind::server}) {
    EXPECT_EQ(parse_topology(to_string(kind)), kind);
  }
  EXPECT_THROW(parse_topology("rign"), UsageError);
}

}  // namespace
}  // namespace terse
