// Tests of DoubleSqueeze, DIANA, EF21 and 1-bit Adam over whole runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "exchanges.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/testing/law_inputs.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

// Worker w minimises sum_i a_wi/2 (x_i - b_wi)^2. The minimiser of the sum over the workers is sum
// a b / sum a.
struct Quadratics {
  static constexpr int kWorkers = 3, kSize = 40;

  static float curvature(int w, int i) { return 0.5F + 0.5F * static_cast<float>((w + i) % 3); }
  static float centre(int w, int i) { return static_cast<float>((7 * w + 3 * i) % 11) - 5.0F; }

  static std::vector<OwnedGradients> gradients(const std::vector<double>& x) {
    std::vector<OwnedGradients> all;
    for (int w = 0; w < kWorkers; ++w) {
      std::vector<float> g(kSize);
      for (int i = 0; i < kSize; ++i) {
        g[i] = curvature(w, i) * static_cast<float>(x[i] - centre(w, i));
      }
      all.push_back(vector_of(g));
    }
    return all;
  }
  static double distance(const std::vector<double>& x) {
    double sum = 0;
    for (int i = 0; i < kSize; ++i) {
      double top = 0, bottom = 0;
      for (int w = 0; w < kWorkers; ++w) {
        top += double{curvature(w, i)} * centre(w, i);
        bottom += curvature(w, i);
      }
      sum += (x[i] - top / bottom) * (x[i] - top / bottom);
    }
    return std::sqrt(sum);
  }

  // The distance to the minimiser after `steps` steps with a constant learning rate.
  static double run(const std::string& spec, int steps, double lr) {
    TestExchange exchange(maker(spec), kWorkers);
    std::vector<double> x(kSize);
    for (int step = 0; step < steps; ++step) {
      const auto mean = flat(exchange.mean(gradients(x)));
      for (int i = 0; i < kSize; ++i) x[i] -= lr * mean[i];
    }
    return distance(x);
  }
};

// The workers' gradients at the minimiser are not zero, so the noise of the compressor alone does
// not vanish.
TEST(Diana, ConvergesLinearlyWhereItsCompressorStalls) {
  const double alone = Quadratics::run("terngrad:bucket=512", 4000, 0.02);
  const double after_2000 = Quadratics::run("diana", 2000, 0.02);
  const double after_4000 = Quadratics::run("diana", 4000, 0.02);
  EXPECT_GT(alone, 0.1);
  EXPECT_LT(after_2000, 1e-3);
  EXPECT_LT(after_4000, 2e-5);  // limited by the rounding of 40 floats of about 5
}

TEST(Diana, EstimateFindsTheGradientAtTheMinimiser) {
  // Every worker sends the gradient g of a constant problem: h_w -> g_w, and the norm in the
  // packets converges to zero.
  const auto g = std::vector<OwnedGradients>{vector_of({1, -2, 3}), vector_of({-4, 5, 6})};
  TestExchange exchange(maker("stochastic_sign:norm=max+diana:alpha=0.3"), 2);
  for (int step = 0; step < 400; ++step) exchange.mean(g);
  EXPECT_LT(exchange.phases()[0].up[0].floats()[0], 1e-5F);
  const auto mean = flat(exchange.mean(g));
  EXPECT_NEAR(mean[0], -1.5, 1e-4);
  EXPECT_NEAR(mean[2], 4.5, 1e-4);
}

// A stochastic sign of 200 values has a variance of 199: with alpha=0.1 the distance of h_w to a
// constant gradient is multiplied by about 1.7 in each step, with 1/200 by 0.9975.
TEST(Diana, DivergesBeyondTheBoundOfItsVariance) {
  const std::vector<OwnedGradients> g(1, normal_gradients({{"", 200, 1}}, 3));
  const auto norm_after = [&](const std::string& alpha, int steps) {
    TestExchange exchange(maker("stochastic_sign+diana" + alpha), 1);
    for (int step = 0; step < steps; ++step) exchange.mean(g);
    return exchange.phases()[0].up[0].floats()[0];
  };
  EXPECT_GT(norm_after(":alpha=0.1", 100), 1e6F * norm_after(":alpha=0.1", 1));
  EXPECT_LT(norm_after("", 4000), 1e-2F * norm_after("", 1));
}

std::vector<Remark> remarks_of(const std::string& spec, const std::vector<MatrixShape>& shapes) {
  auto gradients = zero_gradients(shapes);
  return make_compressor(spec)->remarks(0, views_of(gradients));
}

TEST(Diana, AlphaIsThatOfEachTensor) {
  const std::vector<MatrixShape> shapes{{"", 100, 100}, {"", 25, 1}, {"", 0, 1}};
  const auto remarks = remarks_of("diana", shapes);  // 1 / (1 + (sqrt(512) - 1)/2), 1 / (1 + 2)
  ASSERT_EQ(remarks.size(), 1U);
  EXPECT_EQ(remarks[0].text, "diana: alpha = 1 / (1 + omega) = 0.0846 to 0.333");
  EXPECT_FALSE(remarks[0].warning);
  EXPECT_EQ(remarks_of("stochastic_sign:scope=model+diana", shapes)[0].text,
            "diana: alpha = 1 / (1 + omega) = 9.98e-05");  // one norm of 10 025 values
  // 16 equal values: C(x) = x, because the largest magnitude has probability 1.
  TestExchange exchange(maker("diana"), 1);
  const auto g = std::vector<OwnedGradients>{vector_of(std::vector<float>(16, 3.0F))};
  exchange.mean(g);
  const auto h = state_of(exchange.worker(0), "difference.own");
  for (const float value : h) EXPECT_FLOAT_EQ(value, 3 / 2.5F);  // omega = (sqrt(16) - 1)/2
}

TEST(Diana, WarnsOfAnAlphaBeyondTheBound) {
  const std::vector<MatrixShape> shapes{{"", 40, 1}};
  EXPECT_TRUE(remarks_of("stochastic_sign+diana:alpha=0.025", shapes).empty());
  const auto above = remarks_of("stochastic_sign+diana:alpha=0.1", shapes);
  ASSERT_EQ(above.size(), 1U);
  EXPECT_TRUE(above[0].warning);
  EXPECT_NE(above[0].text.find("alpha = 0.1 exceeds 1 / (1 + omega) = 0.025"), std::string::npos);
  const auto biased = remarks_of("topk+diana:alpha=0.1", shapes);
  ASSERT_EQ(biased.size(), 1U);
  EXPECT_TRUE(biased[0].warning);
  EXPECT_NE(biased[0].text.find("the estimates may not converge"), std::string::npos);
  // The advice is a spec without a warning, not an alpha that would be warned of.
  EXPECT_THAT(
      [] { make_compressor("topk+diana"); },
      testing::ThrowsMessage<UsageError>(testing::EndsWith("take e.g. terngrad:bucket=512")));
  EXPECT_TRUE(std::ranges::none_of(remarks_of("terngrad:bucket=512+diana", shapes),
                                   [](const Remark& remark) { return remark.warning; }));
  EXPECT_THROW(make_compressor("terngrad:shared+diana"), UsageError);
  EXPECT_THROW(make_compressor("terngrad+diana:alpha=x"), UsageError);
}

TEST(Ef21, ConvergesLinearlyWhereItsCompressorStalls) {
  EXPECT_GT(Quadratics::run("topk:ratio=0.1", 2000, 0.1), 0.1);
  EXPECT_LT(Quadratics::run("topk:ratio=0.1+ef21", 2000, 0.1), 1e-4);
}

TEST(Ef21, WithoutCompressionItIsTheGradient) {
  TestExchange exchange(maker("none+ef21"), 2), plain(maker("none"), 2);
  for (std::uint32_t step = 0; step < 5; ++step) {
    const std::vector<OwnedGradients> gradients{normal_gradients(law_shapes(), 2 * step),
                                                normal_gradients(law_shapes(), 2 * step + 1)};
    const auto a = flat(exchange.mean(gradients)), b = flat(plain.mean(gradients));
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5);
  }
}

// x - lr (E + mean e_w) follows plain SGD: sum of decoded means + E + mean e_w = sum of mean
// gradients.
TEST(DoubleSqueeze, VirtualIterateFollowsSgd) {
  for (const auto* inside : {"sign", "topk:ratio=0.1", "randomk:ratio=0.2", "none"}) {
    const auto spec = std::string(inside) + "+doublesqueeze";
    TestExchange exchange(maker(spec), 3);
    std::vector<double> answered, dense;
    for (std::uint32_t step = 0; step < 12; ++step) {
      std::vector<OwnedGradients> gradients;
      for (std::uint32_t w = 0; w < 3; ++w) {
        gradients.push_back(normal_gradients(law_shapes(), 3 * step + w));
      }
      const auto mean = flat(mean_of(gradients)), answer = flat(exchange.mean(gradients));
      answered.resize(mean.size());
      dense.resize(mean.size());
      for (std::size_t i = 0; i < mean.size(); ++i) {
        answered[i] += answer[i];
        dense[i] += mean[i];
      }
    }
    const auto add = [&](int worker, const std::string& name, double share) {
      const auto e = state_of(exchange.worker(worker), name);
      ASSERT_EQ(e.size(), answered.size());
      for (std::size_t i = 0; i < e.size(); ++i) answered[i] += share * e[i];
    };
    for (int w = 0; w < 3; ++w) add(w, "doublesqueeze.worker_residual", 1.0 / 3);
    add(0, "doublesqueeze.server_residual", 1);
    for (std::size_t i = 0; i < dense.size(); ++i) {
      ASSERT_NEAR(answered[i], dense[i], 2e-4) << spec << ", value " << i;
    }
  }
}

TEST(DoubleSqueeze, TheAnswerIsAsSmallAsAPacket) {
  TestExchange exchange(maker("sign+doublesqueeze"), 4);
  exchange.mean(std::vector<OwnedGradients>(4, normal_gradients({{"", 100, 10}}, 1)));
  EXPECT_EQ(exchange.phases()[0].down.payload().size(),
            exchange.phases()[0].up[0].payload().size());
}

// Without compression, momentum through the exchange together with a frozen variance equals Adam.
TEST(OnebitAdam, UncompressedItIsAdamWithItsVarianceFrozen) {
  constexpr int kSteps = 30, kWarmup = 10;
  TestExchange exchange(maker("none+onebit_adam:steps=10"), 1);
  const auto rule = make_update_rule("adam:beta1=0.8"), same = make_update_rule("adam:beta1=0.8");
  const auto adam = make_update_rule("adam:beta1=0.8");
  exchange.worker(0).attach(*rule);
  std::vector<float> x(40, 1.0F), y = x, z = x;
  for (int step = 0; step < kSteps; ++step) {
    const auto g = normal_gradients({{"", 40, 1}}, static_cast<std::uint32_t>(step));
    rule->apply(x, flat(exchange.mean({g})), 0.01F);
    if (step == kWarmup) same->freeze_variance();
    same->apply(y, flat(g), 0.01F);
    adam->apply(z, flat(g), 0.01F);
    double frozen = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(x[i], y[i], 1e-5);
      frozen = std::max(frozen, std::abs(double{y[i]} - z[i]));
    }
    EXPECT_EQ(frozen > 0, step >= kWarmup) << step;
  }
}

// Gradients of every worker whose size falls to half at first and then stays.
std::vector<OwnedGradients> settling_gradients(std::uint32_t step) {
  std::vector<OwnedGradients> workers;
  for (std::uint32_t w = 0; w < 3; ++w) {
    workers.push_back(normal_gradients({{"", 20, 10}, {"", 50, 1}}, 3 * step + w));
    for (auto& tensor : workers.back()) {
      for (float& value : tensor.values) value *= 1 + std::pow(0.9F, static_cast<float>(step));
    }
  }
  return workers;
}

template <class Object>
void copy_state(Object& from, Object& to) {
  const auto bytes = safetensors_of([&](Archive& archive) { from.serialize(archive); });
  load_safetensors("state", bytes, [&](Archive& archive) { to.serialize(archive); });
}

constexpr auto kByRatio = "sign:scale=l2,scope=model+doublesqueeze:unsafe+onebit_adam:ratio=0.96";

// Whether the last step of the exchange was compressed.
bool was_compressed(const TestExchange& exchange) {
  return exchange.phases()[0].up[0].payload().size() < 4 * 250;
}

// The criterion from its formula, in double. With beta2 = 0.9, delta is 10 steps.
TEST(OnebitAdam, CompressesOnceTheVarianceIsStable) {
  for (const int rate_rises_until : {0, 70}) {
    TestExchange exchange(maker(kByRatio), 3);
    std::vector<std::unique_ptr<UpdateRule>> rules;
    for (int w = 0; w < 3; ++w) {
      rules.push_back(make_update_rule("adam:beta2=0.9"));
      exchange.worker(w).attach(*rules.back());
    }
    std::vector<float> x(250);
    std::vector<double> v(250), norms, rates;
    bool stable = false;
    int first = 0;
    for (std::uint32_t step = 0; step < 120; ++step) {
      const auto rate = static_cast<float>(std::max(1, std::min<int>(step, rate_rises_until)));
      exchange.set_lr(rate);
      const auto gradients = settling_gradients(step);
      const auto out = flat(exchange.mean(gradients));  // throws unless the workers agree
      for (auto& rule : rules) rule->apply(x, out, rate);
      ASSERT_EQ(was_compressed(exchange), stable) << step;
      if (stable) continue;
      ++first;
      const auto mean = flat(mean_of(gradients));
      double norm = 0;
      for (std::size_t i = 0; i < v.size(); ++i) {
        v[i] = 0.9 * v[i] + 0.1 * double{mean[i]} * mean[i];
        norm += v[i];
      }
      norms.push_back(norm / (1 - std::pow(0.9, step + 1.0)));
      rates.push_back(rate);
      stable =
          step >= 10 && norms[step] >= 0.96 * norms[step - 10] && rates[step] <= rates[step - 10];
    }
    EXPECT_GT(first, std::max(11, rate_rises_until));  // neither at once
    EXPECT_LT(first, 100);                             // nor never
  }
}

TEST(OnebitAdam, AllRulesFreezeTheirVarianceInTheFirstCompressedStep) {
  TestExchange exchange(maker(kByRatio), 3);
  std::vector<std::unique_ptr<UpdateRule>> rules;
  for (int w = 0; w < 3; ++w) {
    rules.push_back(make_update_rule("adam:beta2=0.9"));
    exchange.worker(w).attach(*rules.back());
  }
  std::vector<std::vector<float>> x(3, std::vector<float>(250, 1.0F));
  for (std::uint32_t step = 0; step < 80; ++step) {
    const auto mean = flat(exchange.mean(settling_gradients(step)));
    for (int w = 0; w < 3; ++w) {
      const auto before = state_of(*rules[w], "adam.v");
      rules[w]->apply(x[w], mean, 0.01F);
      ASSERT_EQ(before == state_of(*rules[w], "adam.v"), was_compressed(exchange)) << step;
    }
  }
  EXPECT_TRUE(was_compressed(exchange));
  EXPECT_EQ(x[0], x[1]);
  EXPECT_EQ(x[0], x[2]);
}

TEST(OnebitAdam, ACheckpointKeepsTheCriterionAndTheFreeze) {
  for (const std::uint32_t saved_after : {5U, 15U, 55U}) {
    TestExchange whole(maker(kByRatio), 3), resumed(maker(kByRatio), 3);
    const auto set_up = [](TestExchange& exchange, UpdateRule& rule) {
      for (int w = 0; w < 3; ++w) exchange.worker(w).attach(rule);
    };
    const auto rule = make_update_rule("adam:beta2=0.9"),
               other = make_update_rule("adam:beta2=0.9");
    set_up(whole, *rule);
    set_up(resumed, *other);
    std::vector<float> x(250, 1.0F), y;
    for (std::uint32_t step = 0; step < 80; ++step) {
      if (step == saved_after) {
        y = x;
        for (int w = 0; w < 3; ++w) copy_state(whole.worker(w), resumed.worker(w));
        copy_state(*rule, *other);
        resumed.set_next_step(step);
      }
      const auto gradients = settling_gradients(step);
      rule->apply(x, flat(whole.mean(gradients)), 0.01F);
      if (step < saved_after) continue;
      other->apply(y, flat(resumed.mean(gradients)), 0.01F);
      ASSERT_EQ(x, y) << step;
      ASSERT_EQ(was_compressed(whole), was_compressed(resumed)) << step;
    }
    EXPECT_TRUE(was_compressed(whole));
  }
}

TEST(OnebitAdam, RefusesRulesThatAreNotAdam) {
  const auto attach = [](const std::string& compressor, const std::string& rule) {
    make_compressor(compressor)->attach(*make_update_rule(rule));
  };
  for (const auto* rule : {"sgd:momentum=0.9", "yogi", "adam+clip:norm=1"}) {
    EXPECT_THROW(attach("onebit_adam", rule), UsageError) << rule;
  }
  EXPECT_THROW(attach("onebit_adam:steps=0", "adam"), UsageError);
  EXPECT_NO_THROW(attach("onebit_adam", "adamw"));
  EXPECT_NO_THROW(attach("sign+ef", "sgd"));
  EXPECT_THROW(make_compressor("onebit_adam:steps=5,ratio=0.9"), UsageError);
  EXPECT_THROW(make_update_rule("adam")->freeze_variance(), Error);
  EXPECT_THROW(make_update_rule("sgd")->freeze_variance(), Error);
}

TEST(TwoWay, BareStagesTakeADocumentedInside) {
  EXPECT_EQ(make_compressor("doublesqueeze")->spec(), "sign:scale=l1,scope=tensor+doublesqueeze");
  EXPECT_EQ(make_compressor("ef21")->spec(), "topk:ratio=0.01,warmup=0,scope=tensor+ef21");
  EXPECT_EQ(make_compressor("diana")->spec(),
            "terngrad:clip=0,bucket=512,shared=false+diana:alpha=auto");
  EXPECT_EQ(make_compressor("onebit_adam")->spec(),
            "sign:scale=l2,scope=model+doublesqueeze:unsafe=true+onebit_adam:ratio=0.96");
  EXPECT_EQ(make_compressor("onebit_adam:steps=7")->spec(),
            "sign:scale=l2,scope=model+doublesqueeze:unsafe=true+onebit_adam:steps=7");
  EXPECT_THROW(make_compressor("ef"), UsageError);
  EXPECT_THROW(make_compressor("powersgd+doublesqueeze"), UsageError);
}

}  // namespace
}  // namespace terse
