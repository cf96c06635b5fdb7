// A small quadratic objective with noise for asynchronous runs. Its gradients can be recomputed.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse::toy {

// The model: two tensors of 90 and 10 ones.
struct Bowl {
  static Tensor ones(const Shape& shape) {
    Tensor t = Tensor::full(shape, 1);
    t.set_requires_grad();
    return t;
  }
  std::vector<float> values() { return {parameters.values().begin(), parameters.values().end()}; }

  Tensor a = ones({6, 15}), b = ones({10});
  ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"a", a}, {"b", b}}};
};

// The gradient of a worker at x in its own step `step`: x_i (1 + i / 50) + noise of deviation 0.3.
inline std::vector<float> bowl_gradient(std::span<const float> x, int worker, std::uint64_t step) {
  Philox noise(17, {.purpose = Purpose::test,
                    .worker = static_cast<std::uint32_t>(worker),
                    .step = static_cast<std::uint32_t>(step)});
  std::vector<float> g(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    g[i] = x[i] * (1 + static_cast<float>(i) / 50) + 0.3F * noise.normal();
  }
  return g;
}

class BowlLearner : public Learner {
 public:
  explicit BowlLearner(int worker) : worker_(worker) {}
  Result gradient(std::span<const float> x) override {
    gradient_ = bowl_gradient(x, worker_, step_++);
    double loss = 0;
    for (const float value : x)
      loss += 0.5 * static_cast<double>(value) * static_cast<double>(value);
    return {.loss = loss, .gradient = gradient_};
  }

 protected:
  int worker_;
  std::uint64_t step_ = 0;
  std::vector<float> gradient_;
};

// One push in update number `update`, counted from 1.
struct Applied {
  std::uint64_t update = 0;
  AppliedPush push;
};

struct AsyncOutcome {
  std::vector<float> values;
  AsyncResult result;
  std::vector<int> pushed;       // the worker of each push, in the order of arrival
  std::vector<double> seconds;   // the time of each push
  std::vector<Applied> applied;  // in the order of application
};

struct AsyncSetting {
  AsyncOptions options;
  std::string update = "sgd";
  float lr = 0.01F;
  std::function<std::unique_ptr<Learner>(int)> make_learner = [](int worker) {
    return std::make_unique<BowlLearner>(worker);
  };
};

inline AsyncOutcome run(const AsyncSetting& setting) {
  Bowl bowl;
  AsyncOutcome outcome;
  const auto update = make_update_rule(setting.update);
  const AsyncRun run{.parameters = bowl.parameters,
                     .update = *update,
                     .make_learner = setting.make_learner,
                     .rate = [&](std::uint64_t) { return setting.lr; },
                     .on_push =
                         [&](const AsyncPush& push) {
                           outcome.pushed.push_back(push.worker);
                           outcome.seconds.push_back(push.seconds);
                           for (const auto& each : push.applied) {
                             outcome.applied.push_back({push.version, each});
                             outcome.applied.back().push.model = nullptr;
                           }
                         }};
  outcome.result = run_async(setting.options, run);
  outcome.values = bowl.values();
  return outcome;
}

// A run in virtual time with rule vanilla and SGD.
inline AsyncOutcome simulate(int workers, std::uint64_t updates, const std::string& durations,
                             const std::string& compressor = "none") {
  return run({.options = {.workers = workers,
                          .updates = updates,
                          .seed = 3,
                          .compressor = compressor,
                          .durations = durations}});
}

}  // namespace terse::toy
