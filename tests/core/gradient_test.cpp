// Every operator's gradient against finite differences in double, from one table. Gradients that
// are deliberately wrong must be detected.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tests/core/gradient_cases.hpp"

namespace terse {
namespace {

using Inputs = std::span<const Tensor>;

class Gradient : public testing::TestWithParam<Case> {};

TEST_P(Gradient, EqualsFiniteDifferences) {
  const auto inputs = inputs_of(GetParam());
  std::int64_t elements = 0;
  for (const auto& input : inputs) elements += input.numel();
  EXPECT_EQ(check_gradient(GetParam().f, inputs).elements, elements);
}

INSTANTIATE_TEST_SUITE_P(Operators, Gradient, testing::ValuesIn(all_cases()),
                         [](const auto& c) { return "case_" + std::to_string(c.index); });

// ---- wrong gradients ----------------------------------------------------------------------------

// Ways in which a backward pass is wrong.
struct Mutation {
  const char* name;
  void (*spoil)(std::span<real> dx);
};
constexpr Mutation kMutations[] = {
    {"no gradient", [](std::span<real> dx) { std::ranges::fill(dx, real{0}); }},
    {"the sign",
     [](std::span<real> dx) {
       for (auto& d : dx) d = -d;
     }},
    {"a factor of two",
     [](std::span<real> dx) {
       for (auto& d : dx) d *= 2;
     }},
    {"a factor of 1.001",
     [](std::span<real> dx) {
       for (auto& d : dx) d *= 1.001;
     }},
    {"a constant beside it",
     [](std::span<real> dx) {
       for (auto& d : dx) d += 1e-4;
     }},
    {"the greatest element left out",
     [](std::span<real> dx) {
       *std::ranges::max_element(dx, {}, [](real d) { return std::abs(d); }) = 0;
     }},
    {"the last element left out", [](std::span<real> dx) { dx.back() = 0; }},
    {"elements moved by one",
     [](std::span<real> dx) { std::rotate(dx.begin(), dx.begin() + 1, dx.end()); }},
    {"elements in reverse", [](std::span<real> dx) { std::ranges::reverse(dx); }},
    {"only what is positive",
     [](std::span<real> dx) {
       for (auto& d : dx) d = std::max(d, real{0});
     }},
};

// The identity with a wrong gradient. Sets `changed` if the gradient differs by more than the check
// allows.
Tensor spoiled(const Tensor& x, const Mutation& mutation, bool& changed) {
  return record("spoiled", x.clone(), {x}, [&mutation, &changed](const Tensor& dy) {
    Tensor dx = dy.clone();
    mutation.spoil(dx.data_mut());
    for (std::size_t i = 0; i < dx.data().size(); ++i) {
      const real right = dy.data()[i];
      const auto allowed = 1e-5 * std::max({real{1}, std::abs(right), std::abs(dx.data()[i])});
      changed = changed || std::abs(dx.data()[i] - right) > allowed;
    }
    return Gradients{dx};
  });
}

// The check must throw for every operator and every mutation of the gradient of one of its inputs.
TEST_P(Gradient, SpoiledIsNoticed) {
  const Case& c = GetParam();
  int noticed = 0;
  for (std::size_t input = 0; input < c.shapes.size(); ++input) {
    if (c.shapes[input].numel() == 0) continue;
    for (const auto& mutation : kMutations) {
      bool changed = false;
      const auto f = [&](Inputs in) {
        std::vector<Tensor> inputs(in.begin(), in.end());
        inputs[input] = spoiled(inputs[input], mutation, changed);
        return c.f(inputs);
      };
      bool caught = false;
      try {
        check_gradient(f, inputs_of(c));
      } catch (const Error&) {
        caught = true;
      }
      EXPECT_TRUE(caught || !changed) << mutation.name << " of input " << input;
      noticed += caught;
    }
  }
  const bool empty = c.f(inputs_of(c)).numel() == 0 ||
                     std::ranges::any_of(c.shapes, [](const Shape& x) { return x.numel() == 0; });
  EXPECT_GE(noticed, empty ? 0 : 4 * static_cast<int>(c.shapes.size()));
}

// ---- the checker itself -------------------------------------------------------------------------

// y = x² with a wrong backward pass.
Tensor broken_square(const Tensor& x,
                     std::function<Gradients(const Tensor& dy, const Tensor& x)> backward) {
  Tensor y = Tensor::empty(x.shape());
  for (std::size_t i = 0; i < x.data().size(); ++i) y.data_mut()[i] = x.data()[i] * x.data()[i];
  return record("broken_square", y, {x},
                [x = x.detach(), backward](const Tensor& dy) { return backward(dy, x); });
}

template <class Backward>
void expect_caught(Backward backward, const std::string& why) {
  try {
    check_gradient([&](Inputs in) { return broken_square(in[0], backward); },
                   {random_tensor({3}, 1)});
    FAIL() << "not caught: " << why;
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
  }
}

TEST(CheckGradient, AcceptsTheRightBackward) {
  const auto right = [](const Tensor& dy, const Tensor& x) { return Gradients{scale(dy * x, 2)}; };
  EXPECT_LT(check_gradient([&](Inputs in) { return broken_square(in[0], right); },
                           {random_tensor({3}, 1)})
                .worst,
            1e-8);
}

TEST(CheckGradient, CatchesWrongBackwards) {
  expect_caught([](const Tensor& dy, const Tensor& x) { return Gradients{dy * x}; },
                "finite differences");
  expect_caught([](const Tensor& dy, const Tensor& x) { return Gradients{scale(dy * x, -2)}; },
                "finite differences");
  expect_caught([](const Tensor& dy, const Tensor& x) { return Gradients{scale(dy * x, 2.0001)}; },
                "finite differences");
  expect_caught(
      [](const Tensor& dy, const Tensor&) { return Gradients{Tensor::zeros(dy.shape())}; },
      "finite differences");
  expect_caught([](const Tensor&, const Tensor&) { return Gradients{Tensor()}; }, "no gradient");
  expect_caught([](const Tensor&, const Tensor&) { return Gradients{}; }, "must return 1");
  expect_caught([](const Tensor& dy, const Tensor&) { return Gradients{sum(dy)}; }, "its shape");
}

TEST(CheckGradient, RefusesWhatProvesNothing) {
  EXPECT_THROW(check_gradient([](Inputs) { return Tensor::zeros({2}); }, {random_tensor({2}, 1)}),
               Error);
  EXPECT_THROW(check_gradient([](Inputs in) { return scale(in[0], 0); }, {random_tensor({2}, 1)}),
               Error);
  EXPECT_THROW(check_gradient([](Inputs in) { return in[0]; },
                              {random_tensor({2}, 1), random_tensor({2}, 2)}),
               Error);
}

TEST(CheckGradient, CatchesAnOperatorThatWritesToItsInput) {
  const auto f = [](Inputs in) {
    Tensor x = in[0];
    const Tensor y = square(x);
    x.data_mut()[0] += 1;
    return y;
  };
  EXPECT_THROW(check_gradient(f, {random_tensor({3}, 1)}), Error);
}

}  // namespace
}  // namespace terse
