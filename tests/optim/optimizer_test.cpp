// Tests of properties that every registered update rule has, and of clipping.
#include "tersegrad/optim/optimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse {
namespace {

using testing::HasSubstr;
using Values = std::vector<float>;

Values normal(std::size_t n, std::uint32_t step) {
  Philox draws(1, {.purpose = Purpose::test, .step = step});
  Values values(n);
  for (auto& value : values) value = draws.normal();
  return values;
}

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Applies the steps [first, last) with gradients that depend on the step.
void run(UpdateRule& rule, Values& x, std::uint32_t first, std::uint32_t last) {
  for (std::uint32_t step = first; step < last; ++step) {
    rule.apply(x, normal(x.size(), step), 0.01F);
  }
}

template <class Exception = UsageError>
std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Exception& error) {
    return error.what();
  }
  return "no such error";
}

std::string usage_error(std::string_view spec) {
  return error_of([&] { make_update_rule(spec); });
}

// The examples of the registry, and further options that these do not use.
std::vector<std::string> every_rule() {
  std::vector<std::string> specs = {"sgd",
                                    "adam",
                                    "rmsprop",
                                    "rmsprop:centered",
                                    "rmsprop:momentum=0.5",
                                    "sgd:momentum=0.9,form=powersgd"};
  for (const auto& entry : update_rule_registry()) specs.emplace_back(entry.example);
  return specs;
}

bool stateless(const std::string& spec) {
  return spec == "sgd" || spec.starts_with("signsgd");
}

TEST(UpdateRules, TableNamesEachOnceAndExamplesSayTheName) {
  std::set<std::string_view> names;
  for (const auto& entry : update_rule_registry()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.summary.empty()) << entry.name;
    EXPECT_THAT(std::string(entry.example), HasSubstr(std::string(entry.name)));
  }
}

TEST(UpdateRules, SpecsRoundTrip) {
  for (const auto& spec : every_rule()) {
    const auto written = make_update_rule(spec)->spec();
    EXPECT_EQ(make_update_rule(written)->spec(), written) << spec;
  }
}

TEST(UpdateRules, SpecWritesEveryOptionOut) {
  const auto written = [](std::string_view spec) { return make_update_rule(spec)->spec(); };
  EXPECT_EQ(written("sgd"), "sgd:momentum=0,dampening=0,nesterov=false,weight_decay=0,form=torch");
  EXPECT_EQ(written("adam"), "adam:beta1=0.9,beta2=0.999,eps=1e-08,weight_decay=0,amsgrad=false");
  EXPECT_EQ(written("adamw:amsgrad"),
            "adamw:beta1=0.9,beta2=0.999,eps=1e-08,weight_decay=0.01,amsgrad=true");
  EXPECT_EQ(written("rmsprop"),
            "rmsprop:alpha=0.99,eps=1e-08,weight_decay=0,momentum=0,centered=false");
  EXPECT_EQ(written("adagrad"),
            "adagrad:lr_decay=0,weight_decay=0,eps=1e-10,initial_accumulator=0");
  EXPECT_EQ(written("adadelta"), "adadelta:rho=0.9,eps=1e-06,weight_decay=0");
  EXPECT_EQ(written("rprop"),
            "rprop:variant=minus,eta_minus=0.5,eta_plus=1.2,step_min=1e-06,step_max=50");
  EXPECT_EQ(written("yogi"),
            "yogi:beta1=0.9,beta2=0.999,eps=0.001,weight_decay=0,initial_accumulator=1e-06");
  EXPECT_EQ(written("msvag"), "msvag:beta=0.9,weight_decay=0");
  EXPECT_EQ(written("lars"), "lars:trust=0.001,momentum=0.9,weight_decay=0");
  EXPECT_EQ(written("nsgd"), "nsgd:beta=0.9,weight_decay=0");
  EXPECT_EQ(written("signsgd"), "signsgd:weight_decay=0,decay=outside");
  EXPECT_EQ(written("signum:warmup,decay=inside"),
            "signum:beta=0.9,warmup=true,weight_decay=0,decay=inside");
  EXPECT_EQ(written("ssd"), "ssd:beta=0.9,weight_decay=0,decay=outside");
  EXPECT_EQ(written("ssd_bh"), "ssd_bh:beta=0.9,weight_decay=0,decay=outside");
  EXPECT_EQ(written("adadelta+clip+clip:value=0.5"),
            "adadelta:rho=0.9,eps=1e-06,weight_decay=0+clip:norm=1+clip:value=0.5");
}

TEST(UpdateRules, WrongSpecsAreRefusedWithWhatWouldBeRight) {
  EXPECT_THAT(usage_error("adm"), HasSubstr("did you mean adam?; known: adam, adamw, lars, sgd, "));
  EXPECT_THAT(usage_error("adam:beta=0.9"),
              HasSubstr("did you mean beta1?; known: beta1, beta2, eps, amsgrad, weight_decay"));
  EXPECT_THAT(usage_error("sgd:momentum=2"), HasSubstr("from 0 to 1; got '2'"));
  EXPECT_THAT(usage_error("sgd:nesterov"), HasSubstr("nesterov needs momentum above 0"));
  EXPECT_THAT(usage_error("sgd:momentum=0.9,dampening=0.1,nesterov"), HasSubstr("got 0.9 and 0.1"));
  EXPECT_THAT(usage_error("sgd:form=caffe"), HasSubstr("one of torch, powersgd; got 'caffe'"));
  EXPECT_THAT(usage_error("sgd:momentum=0.9,nesterov,form=powersgd"),
              HasSubstr("neither nesterov nor dampening; got true and 0"));
  EXPECT_THAT(usage_error("adamw:beta2=1"),
              HasSubstr("'adamw': beta1 and beta2 must be below 1; got 0.9 and 1"));
  EXPECT_THAT(usage_error("rprop:eta_minus=0"), HasSubstr("0 < eta_minus < 1 < eta_plus"));
  EXPECT_THAT(usage_error("rprop:step_min=1,step_max=0.5"), HasSubstr("got 1 and 0.5"));
  EXPECT_THAT(usage_error("signum:beta=1"), HasSubstr("from 0 to 0.99999; got '1'"));
  EXPECT_THAT(usage_error("signsgd:decay=before"), HasSubstr("outside, inside; got 'before'"));
  EXPECT_THAT(usage_error("msvag:beta=1"), HasSubstr("from 0 to 0.999999; got '1'"));
  EXPECT_THAT(usage_error("yogi:beta1=1"), HasSubstr("'yogi': beta1 and beta2 must be below 1"));
  EXPECT_THAT(usage_error("lars:trust=-1"), HasSubstr("trust must be a number from 0"));
  EXPECT_THAT(usage_error("clip:norm=1"), HasSubstr("expected a rule before clip; write e.g. sgd"));
  EXPECT_THAT(usage_error("sgd+adam"),
              HasSubstr("expected one rule, before the first '+'; got adam"));
  EXPECT_THAT(usage_error("sgd+clip:norm=1,value=2"),
              HasSubstr("expected norm= or value= in one stage; got norm=1 and value=2"));
  EXPECT_THAT(usage_error("sgd+clip:norm=-1"), HasSubstr("clip': norm must be a number from 0"));
}

TEST(UpdateRules, ContinueFromASavedStateAsIfNeverStopped) {
  for (const auto& spec : every_rule()) {
    const auto whole = make_update_rule(spec), fresh = make_update_rule(spec);
    Values x = normal(1003, 99);
    run(*whole, x, 0, 3);
    const auto saved = safetensors_of([&](Archive& archive) { whole->serialize(archive); });
    const auto loaded = make_update_rule(spec);
    Values elsewhere(7);
    run(*loaded, elsewhere, 7, 8);  // loading must replace this state
    load_safetensors(spec, saved, [&](Archive& archive) { loaded->serialize(archive); });
    Values y = x, z = x;
    run(*whole, x, 3, 6);
    run(*loaded, y, 3, 6);
    run(*fresh, z, 3, 6);
    EXPECT_TRUE(same_bits(x, y)) << spec;
    EXPECT_EQ(same_bits(x, z), stateless(spec)) << spec << ": it has a state, or none";
  }
}

TEST(UpdateRules, ThreadsChangeNoBit) {
  const int threads = thread_count();
  const Values start = normal(3 * 65536 + 17, 99);
  for (const auto& spec : every_rule()) {
    Values results[2] = {start, start};
    for (const int i : {0, 1}) {
      set_thread_count(i == 0 ? 1 : 3);
      run(*make_update_rule(spec), results[i], 0, 2);
    }
    EXPECT_TRUE(same_bits(results[0], results[1])) << spec;
  }
  set_thread_count(threads);
}

// A down packet that is decoded block by block.
class Decoded final : public GradientSource {
 public:
  explicit Decoded(Values values) : values_(std::move(values)) {}
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override {
    std::copy_n(values_.begin() + first, scratch.size(), scratch.begin());
    return scratch;
  }

 private:
  Values values_;
};

TEST(UpdateRules, ReadingInPassingChangesNoBit) {
  auto specs = every_rule();
  specs.emplace_back("adam+clip:value=0.5+clip:norm=3");
  for (const auto& spec : specs) {
    const auto whole = make_update_rule(spec), pieces = make_update_rule(spec);
    Values x = normal(3 * 65536 + 17, 99), y = x;
    for (std::uint32_t step = 0; step < 2; ++step) {
      const auto gradient = normal(x.size(), step);
      const Decoded source(gradient);
      whole->apply(x, gradient, 0.01F);
      pieces->update(y, {.source = &source, .count = std::ssize(y)}, 0.01F);
    }
    EXPECT_TRUE(same_bits(x, y)) << spec;
  }
}

// The scalar code at the end of a loop gives the same bits as the vector code.
TEST(UpdateRules, AValueDependsOnItsOwnGradientsAlone) {
  for (const auto& spec : every_rule()) {
    // Except for rules with a norm over all values, or with draws that depend on the index.
    const std::string name = Spec::parse(spec).stages.back().name;
    if (name == "clip" || name == "nsgd" || name == "lars" || name == "ssd" || name == "ssd_bh") {
      continue;
    }
    const auto all = make_update_rule(spec), one = make_update_rule(spec);
    Values x = normal(1003, 99), last(1, x.back()), first(1, x.front());
    const auto other = make_update_rule(spec);
    for (std::uint32_t step = 0; step < 4; ++step) {
      const auto gradient = normal(x.size(), step);
      all->apply(x, gradient, 0.01F);
      one->apply(first, std::span(gradient).first(1), 0.01F);
      other->apply(last, std::span(gradient).last(1), 0.01F);
    }
    EXPECT_EQ(x.front(), first[0]) << spec;
    EXPECT_EQ(x.back(), last[0]) << spec;
  }
}

TEST(UpdateRules, TakeNoMemoryAfterTheFirstStep) {
  const auto before = memory_use().live_bytes;
  for (const auto& spec : every_rule()) {
    const auto rule = make_update_rule(spec);
    Values x = normal(1003, 99);
    run(*rule, x, 0, 1);
    const auto after = memory_use().live_bytes;
    run(*rule, x, 1, 3);
    EXPECT_EQ(memory_use().live_bytes, after) << spec;
  }
  EXPECT_EQ(memory_use().live_bytes, before) << "state is given back";
}

TEST(UpdateRules, SizesMustAgree) {
  for (const auto& spec : every_rule()) {
    const auto rule = make_update_rule(spec);
    Values x(3), fewer(2);
    EXPECT_EQ(error_of<Error>([&] { rule->apply(x, Values(4), 0.1F); }),
              "optimizer: expected one gradient per value; got 3 values and 4 gradients");
    rule->apply(x, Values(3), 0.1F);
    if (stateless(spec)) continue;
    EXPECT_THAT(error_of<Error>([&] { rule->apply(fewer, Values(2), 0.1F); }),
                HasSubstr("expected one state value per parameter; got 2 parameters and 3 values"))
        << spec;
  }
}

// The gradient after the stages: plain SGD with lr 1 from 0 gives its negative.
Values clipped(const std::string& stages, const Values& gradient) {
  Values x(gradient.size());
  make_update_rule("sgd" + stages)->apply(x, gradient, 1);
  for (auto& value : x) value = -value;
  return x;
}

TEST(Clip, ScalesALargerNormToTheLimitAndLeavesASmaller) {
  const auto norm = [](const Values& x) {
    double squares = 0;
    for (const float value : x) squares += double{value} * value;
    return std::sqrt(squares);
  };
  const Values gradient = normal(100003, 0);  // several pieces, and less than a vector at the end
  ASSERT_GT(norm(gradient), 100);
  const Values shorter = clipped("+clip:norm=2.5", gradient);
  EXPECT_NEAR(norm(shorter), 2.5, 1e-5);
  EXPECT_NEAR(shorter[7] / gradient[7], 2.5 / norm(gradient), 1e-6);
  EXPECT_EQ(clipped("+clip:norm=1000", gradient), gradient);
  EXPECT_EQ(clipped("+clip:norm=1", {0, 0, 0}), (Values{0, 0, 0}));
}

TEST(Clip, CutsValues) {
  EXPECT_EQ(clipped("+clip:value=0.5", {-2, -0.5F, 0, 0.25F, 7}),
            (Values{-0.5F, -0.5F, 0, 0.25F, 0.5F}));
}

TEST(Clip, TheLastStageIsFirst) {
  // Clipping by value gives (3, 4), whose norm is 5; clipping to norm 1 follows.
  const Values cut_first = clipped("+clip:norm=1+clip:value=4", {3, 9});
  EXPECT_NEAR(cut_first[0], 0.6, 1e-6);
  EXPECT_NEAR(cut_first[1], 0.8, 1e-6);
  // Clipping to norm 1 gives (0.6, 0.8); clipping by value follows.
  const Values cut_last = clipped("+clip:value=0.7+clip:norm=1", {3, 4});
  EXPECT_NEAR(cut_last[0], 0.6, 1e-6);
  EXPECT_NEAR(cut_last[1], 0.7, 1e-6);
}

TEST(Clip, LeavesAGradientOfInfiniteOrUndefinedNorm) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(clipped("+clip:norm=1", {3, kInfinity, 4}), (Values{3, kInfinity, 4}));
  const Values undefined = clipped("+clip:norm=1", {3, NAN, 4});
  EXPECT_EQ(undefined[0], 3);
  EXPECT_TRUE(std::isnan(undefined[1]));
  EXPECT_TRUE(std::isnan(clipped("+clip:value=1", {NAN})[0])) << "cutting hides no NaN";
}

// The squares of about 1e61 exceed the range of float.
TEST(Clip, NormOfLargeGradientsDoesNotOverflow) {
  EXPECT_NEAR(clipped("+clip:norm=1", {3e30F, 4e30F})[1], 0.8, 1e-6);
}

TEST(Rprop, ReadsTheLearningRateOnceAsTheFirstSize) {
  const auto rule = make_update_rule("rprop");
  Values x{0};
  rule->apply(x, Values{5}, 0.5F);
  EXPECT_EQ(x[0], -0.5F);
  rule->apply(x, Values{5}, 1e-3F);
  EXPECT_FLOAT_EQ(x[0], -0.5F - 1.2F * 0.5F);
}

// Size 0.1 at first, 0.12 after the second +, and 0.06 after the change of sign. There `backtrack`
// takes the step of 0.12 back and `minus` stays; the next step has no sign to compare with.
TEST(Rprop, AChangeOfSignTakesTheStepBackOrStays) {
  const std::vector<float> gradients{1, 1, -1, 1, 1};
  const auto path = [&](const std::string& spec) {
    const auto rule = make_update_rule(spec);
    Values x{0}, all;
    for (const float g : gradients) {
      rule->apply(x, Values{g}, 0.1F);
      all.push_back(x[0]);
    }
    return all;
  };
  const std::vector<double> minus{-0.1, -0.22, -0.22, -0.28, -0.352},
      backtrack{-0.1, -0.22, -0.1, -0.16, -0.232};
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_NEAR(path("rprop")[i], minus[i], 1e-6) << i;
    EXPECT_NEAR(path("rprop:variant=backtrack")[i], backtrack[i], 1e-6) << i;
  }
  EXPECT_THAT(usage_error("rprop:variant=plus"), HasSubstr("one of minus, backtrack"));
}

// Rounding can make the variance of a constant gradient negative; its square root would be NaN.
TEST(Rmsprop, CenteredOnAConstantGradientStaysFinite) {
  const auto rule = make_update_rule("rmsprop:centered,alpha=0.5");
  Values x = normal(64, 0);
  const Values gradient = normal(64, 1);
  for (int step = 0; step < 100; ++step) rule->apply(x, gradient, 1e-6F);
  for (const float value : x) EXPECT_TRUE(std::isfinite(value));
}

// Two matrices, each followed by a bias: only the matrices decay.
TEST(WeightDecay, MayBeThatOfMatricesAlone) {
  const RuleSetup setup{.tensors = {6, 3, 40, 2}, .matrices = {true, false, true, false}};
  const auto steps = [&](const std::string& spec, std::size_t first, std::size_t count) {
    const auto rule = make_update_rule(spec);
    rule->prepare(setup);
    Values x(51, 0.5F);
    for (std::uint32_t step = 0; step < 3; ++step) rule->apply(x, normal(x.size(), step), 0.01F);
    return Values(x.begin() + static_cast<std::ptrdiff_t>(first),
                  x.begin() + static_cast<std::ptrdiff_t>(first + count));
  };
  for (const std::string rule :
       {"sgd:momentum=0.9", "adam", "adamw", "adagrad", "adadelta", "rmsprop:centered,momentum=0.9",
        "yogi", "lars", "msvag", "signsgd", "signum", "ssd", "ssd_bh"}) {
    const std::string with = rule + (rule.find(':') == std::string::npos ? ":" : ",");
    const auto all = with + "weight_decay=10", none = with + "weight_decay=0";
    const auto matrices = all + ",weight_decay_on=matrices";
    EXPECT_THAT(make_update_rule(matrices)->spec(), HasSubstr("weight_decay_on=matrices"));
    EXPECT_EQ(make_update_rule(make_update_rule(matrices)->spec())->spec(),
              make_update_rule(matrices)->spec());
    for (const auto& [first, count] : {std::pair{0, 6}, std::pair{9, 40}}) {
      EXPECT_TRUE(same_bits(steps(matrices, first, count), steps(all, first, count))) << rule;
      EXPECT_FALSE(same_bits(steps(matrices, first, count), steps(none, first, count))) << rule;
    }
    for (const auto& [first, count] : {std::pair{6, 3}, std::pair{49, 2}}) {
      EXPECT_TRUE(same_bits(steps(matrices, first, count), steps(none, first, count))) << rule;
    }
  }
  EXPECT_THAT(
      error_of<Error>([] {
        Values x(4);
        make_update_rule("sgd:weight_decay=1,weight_decay_on=matrices")->apply(x, x, 0.1F);
      }),
      HasSubstr("expected 0 values, the size of the tensors that prepare was called with; got 4"));
  EXPECT_THAT(usage_error("sgd:weight_decay_on=biases"), HasSubstr("one of all, matrices"));
}

}  // namespace
}  // namespace terse
