#include "examples/paper/staleness_experiments.hpp"

#include <array>
#include <cmath>
#include <vector>

#include "examples/paper/seeds.hpp"
#include "examples/run/interruption.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// A model of one tensor of ones.
struct SmallModel {
  explicit SmallModel(std::int64_t size) : x(Tensor::full({size}, 1)) { x.set_requires_grad(); }
  Tensor x;
  ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"x", x}}};
};

// The gradient slope(x_j) + noise in each coordinate.
class SlopeLearner final : public Learner {
 public:
  using Slope = float (*)(float);
  SlopeLearner(Slope slope, float deviation, std::int64_t size, std::uint64_t seed, int worker)
      : slope_(slope),
        deviation_(deviation),
        seed_(seed),
        worker_(static_cast<std::uint32_t>(worker)),
        gradient_(static_cast<std::size_t>(size)) {}

  Result gradient(std::span<const float> x) override {
    for (std::size_t j = 0; j < x.size(); ++j) gradient_[j] = slope_(x[j]);
    if (deviation_ > 0) {
      Philox noise(seed_, {.purpose = Purpose::problem, .worker = worker_, .step = step_++});
      for (float& g : gradient_) g += deviation_ * noise.normal();
    }
    return {.loss = 0, .gradient = gradient_};
  }

 private:
  Slope slope_;
  float deviation_;
  std::uint64_t seed_;
  std::uint32_t worker_, step_ = 0;
  std::vector<float> gradient_;
};

float bowl_slope(float x) {  // of x² / 2
  return x;
}
// Of x² / (1 + x²), which is concave above 1/sqrt 3, and so at the start.
float well_slope(float x) {
  const float root = 1 + x * x;
  return 2 * x / (root * root);
}

}  // namespace

Experiment staleness_of_pushes(Scale scale) {
  const std::uint64_t updates = scale == Scale::whole ? 200'000 : 10'000;
  constexpr std::int64_t kSeeds = 3;
  return {.name = "async/staleness",
          .configuration = {{"updates", updates}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 30,
          .measure = [=](const Rows&) {
            json cases = json::array();
            for (const auto& of_seed : for_seeds(kSeeds, [&](std::uint64_t seed) {
                   json found = json::array();
                   for (const char* durations :
                        {"exponential", "constant", "erlang:k=4", "pareto:alpha=2.5"}) {
                     for (const int workers : {4, 16, 64}) {
                       SmallModel model(1);
                       const auto update = make_update_rule("sgd");
                       const AsyncRun run{.parameters = model.parameters,
                                          .update = *update,
                                          .make_learner =
                                              [&](int worker) {
                                                return std::make_unique<SlopeLearner>(
                                                    bowl_slope, 0.0F, 1, seed, worker);
                                              },
                                          .rate = [](std::uint64_t) { return 1e-3F; }};
                       const auto record = run_async({.workers = workers,
                                                      .updates = updates,
                                                      .seed = seed,
                                                      .durations = durations},
                                                     run)
                                               .staleness;
                       json one = {{"workers", workers},
                                   {"durations", durations},
                                   {"seed", seed},
                                   {"mean", record.mean()},
                                   {"pushes", record.pushes()}};
                       if (std::string_view(durations) == "exponential") {
                         one["histogram"] = record.histogram();
                       }
                       found.push_back(std::move(one));
                     }
                   }
                   return found;
                 })) {
              cases.insert(cases.end(), of_seed.begin(), of_seed.end());
            }
            return json{{"cases", cases}};
          }};
}

Experiment asynchronous_rate(Scale scale) {
  constexpr std::int64_t kDimension = 20;
  constexpr std::int64_t kSeeds = 5;
  const std::vector<std::uint64_t> counts =
      scale == Scale::whole ? std::vector<std::uint64_t>{1'000, 10'000, 100'000, 1'000'000}
                            : std::vector<std::uint64_t>{1'000, 10'000};
  return {.name = "async/rate",
          .configuration = {{"updates", counts}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 60,
          .measure = [=](const Rows&) {
            const auto mean_square = [&](const char* compressor, std::uint64_t updates,
                                         std::uint64_t seed) {
              SmallModel model(kDimension);
              const auto update = make_update_rule("sgd");
              const auto rate = 0.2F / std::sqrt(static_cast<float>(updates));
              double sum = 0;
              const AsyncRun run{.parameters = model.parameters,
                                 .update = *update,
                                 .make_learner =
                                     [&](int worker) {
                                       return std::make_unique<SlopeLearner>(
                                           well_slope, 2.0F, kDimension, seed, worker);
                                     },
                                 .rate = [=](std::uint64_t) { return rate; },
                                 .on_push =
                                     [&](const AsyncPush&) {
                                       for (const float x : model.parameters.values()) {
                                         const auto g = static_cast<double>(well_slope(x));
                                         sum += g * g;
                                       }
                                     }};
              run_async({.workers = 8, .updates = updates, .seed = seed, .compressor = compressor},
                        run);
              return sum / static_cast<double>(updates);
            };
            return json{{"updates", counts},
                        {"seeds", for_seeds(kSeeds, [&](std::uint64_t seed) {
                           json dense = json::array(), sparse = json::array();
                           for (const auto updates : counts) {
                             dense.push_back(mean_square("none", updates, seed));
                             sparse.push_back(mean_square("topk:ratio=0.1+ef", updates, seed));
                           }
                           return json{{"dense", dense}, {"sparse", sparse}};
                         })}};
          }};
}

namespace {

constexpr std::size_t kUpdates = 60;
using Path = std::array<double, kUpdates + 1>;

// The mean over `runs` runs of x after 0, 1, … updates; a rate of 0.05, x_0 = 1.
Path mean_path(int workers, std::int64_t runs, std::uint64_t seed) {
  constexpr std::int64_t kGrain = 100;
  std::vector<Path> parts(static_cast<std::size_t>((runs + kGrain - 1) / kGrain));
  parallel_for(runs, kGrain, [&](std::int64_t begin, std::int64_t end) {
    Path& sum = parts[static_cast<std::size_t>(begin / kGrain)];
    for (std::int64_t i = begin; i < end; ++i) {
      SmallModel model(1);
      const auto update = make_update_rule("sgd");
      std::size_t t = 0;
      const AsyncRun run{.parameters = model.parameters,
                         .update = *update,
                         .make_learner =
                             [](int worker) {
                               return std::make_unique<SlopeLearner>(bowl_slope, 0.0F, 1, 0,
                                                                     worker);
                             },
                         .rate = [](std::uint64_t) { return 0.05F; },
                         .on_push =
                             [&](const AsyncPush&) {
                               sum[++t] += static_cast<double>(model.parameters.values()[0]);
                             }};
      run_async({.workers = workers,
                 .updates = kUpdates,
                 .seed = seed << 32 | static_cast<std::uint64_t>(i),
                 .durations = "exponential"},
                run);
      sum[0] += 1;
    }
  });
  Path mean{};
  for (const auto& part : parts) {
    for (std::size_t t = 0; t <= kUpdates; ++t) mean[t] += part[t] / static_cast<double>(runs);
  }
  return mean;
}

// Least squares of x_{t+1} − x_t on (x_t − x_{t−1}, −x_t).
json fit(const Path& x) {
  double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
  for (std::size_t t = 1; t < kUpdates; ++t) {
    const double a = x[t] - x[t - 1], b = -x[t], y = x[t + 1] - x[t];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    ay += a * y;
    by += b * y;
  }
  const double determinant = aa * bb - ab * ab;
  return {{"momentum", (ay * bb - by * ab) / determinant},
          {"rate", (aa * by - ab * ay) / determinant}};
}

}  // namespace

Experiment implicit_momentum(Scale scale) {
  const std::int64_t runs = scale == Scale::whole ? 20'000 : 300;
  constexpr std::int64_t kSeeds = 3;
  const std::vector<int> workers = {2, 4, 8, 16};
  return {.name = "async/implicit-momentum",
          .configuration = {{"runs", runs}, {"seeds", kSeeds}, {"revision", 1}},
          .seconds = 120,
          .measure = [=](const Rows&) {
            json seeds = json::array();
            for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
              json momentum = json::array(), rate = json::array();
              for (const int count : workers) {
                run::throw_if_interrupted();
                const auto fitted = fit(mean_path(count, runs, seed));
                momentum.push_back(fitted["momentum"]);
                rate.push_back(fitted["rate"]);
              }
              seeds.push_back({{"momentum", momentum}, {"rate", rate}});
            }
            return json{{"workers", workers}, {"rate", 0.05}, {"seeds", seeds}};
          }};
}

}  // namespace terse::paper
