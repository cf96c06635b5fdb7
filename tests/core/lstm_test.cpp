// The recurrent kernels against the equations, and the properties of the operator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/lstm.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

namespace terse {
namespace {

using kernels::LstmShape;

std::vector<float> values(const Tensor& t) {
  return {t.data().begin(), t.data().end()};
}

std::vector<float> random_values(std::int64_t n, std::uint64_t seed, float factor = 1) {
  return values(scale(random_tensor({n}, seed), factor));
}

void expect_close(const std::vector<float>& fast, const std::vector<float>& exact) {
  ASSERT_EQ(fast.size(), exact.size());
  float largest = 0, worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    worst = std::max(worst, std::abs(fast[i] - exact[i]));
    ASSERT_FALSE(std::isnan(fast[i])) << i;
  }
  // A sum has up to 4F = 2600 products. Without fused multiply-add, rounding alone gives an error
  // of 2600^(1/2) 2^-24 = 3e-6 relative to a term.
  EXPECT_LE(worst, 5e-6F * std::max(largest, 1.0F));
  EXPECT_TRUE(exact.empty() || largest > 0);
}

struct Problem {
  LstmShape shape;
  bool with_state_and_bias;
};

class LstmKernel : public testing::TestWithParam<Problem> {
 protected:
  const LstmShape a = GetParam().shape;
  const std::int64_t state = a.n * a.f, steps = a.t * state;
  const float size = 2 / std::sqrt(static_cast<float>(a.f));  // of weights: gates are not saturated
  const std::vector<float> w = random_values(4 * a.f * a.f, 1, size);
  const std::vector<float> bias = optional(4 * a.f, 2);
  const std::vector<float> h0 = optional(state, 3), c0 = optional(state, 4);
  const std::vector<float> input = random_values(4 * steps, 5, 2);
  const std::vector<float> dy = random_values(steps, 6), dc_last = random_values(state, 7);

  struct Forward {
    std::vector<float> gates, c, y;
  };
  struct Backward {
    std::vector<float> dgates, dc0, dh0;
  };

  static std::vector<float> optional(std::int64_t n, std::uint64_t seed) {
    return GetParam().with_state_and_bias ? random_values(n, seed) : std::vector<float>();
  }
  static std::vector<float> unset(std::int64_t n) {
    return std::vector<float>(static_cast<std::size_t>(n), NAN);
  }

  Forward forward(void (*kernel)(const LstmShape&, const kernels::LstmForward&)) const {
    Forward r{input, unset(steps), unset(steps)};
    kernel(a, {w, bias, h0, c0, r.gates, r.c, r.y});
    return r;
  }
  Backward backward(void (*kernel)(const LstmShape&, const kernels::LstmBackward&)) const {
    const Forward kept = forward(kernels::reference::lstm_forward);
    Backward r{unset(4 * steps), unset(state), unset(state)};
    kernel(a, {w, c0, kept.gates, kept.c, dy, dc_last, r.dgates, r.dc0, r.dh0});
    return r;
  }
};

TEST_P(LstmKernel, ForwardEqualsReference) {
  const Forward fast = forward(kernels::lstm_forward);
  const Forward exact = forward(kernels::reference::lstm_forward);
  expect_close(fast.gates, exact.gates);
  expect_close(fast.c, exact.c);
  expect_close(fast.y, exact.y);
}

TEST_P(LstmKernel, BackwardEqualsReference) {
  const Backward fast = backward(kernels::lstm_backward);
  const Backward exact = backward(kernels::reference::lstm_backward);
  expect_close(fast.dgates, exact.dgates);
  expect_close(fast.dc0, exact.dc0);
  expect_close(fast.dh0, exact.dh0);
}

TEST_P(LstmKernel, ThreadsChangeNoBit) {
  const int before = thread_count();
  set_thread_count(1);
  const Forward one = forward(kernels::lstm_forward);
  const Backward one_back = backward(kernels::lstm_backward);
  set_thread_count(2);
  const Forward two = forward(kernels::lstm_forward);
  const Backward two_back = backward(kernels::lstm_backward);
  set_thread_count(before);
  EXPECT_EQ(one.gates, two.gates);
  EXPECT_EQ(one.y, two.y);
  EXPECT_EQ(one_back.dgates, two_back.dgates);
  EXPECT_EQ(one_back.dh0, two_back.dh0);
}

INSTANTIATE_TEST_SUITE_P(Shapes, LstmKernel,
                         testing::Values(Problem{{3, 32, 650}, true}, Problem{{4, 5, 16}, true},
                                         Problem{{5, 7, 33}, false}, Problem{{1, 1, 1}, true},
                                         Problem{{2, 1, 100}, true}, Problem{{6, 13, 7}, true},
                                         Problem{{2, 100, 48}, false}, Problem{{3, 0, 20}, false},
                                         Problem{{40, 1, 24}, true}, Problem{{2, 6, 300}, false}));

// ---- the operator -------------------------------------------------------------------------------

LstmWeights random_weights(std::int64_t d, std::int64_t f) {
  return {.w_ih = random_tensor({4 * f, d}, 11),
          .w_hh = random_tensor({4 * f, f}, 12),
          .b_ih = random_tensor({4 * f}, 13),
          .b_hh = random_tensor({4 * f}, 14)};
}

TEST(Lstm, GatesAreInputForgetCellOutput) {
  const auto gate_inputs = [](float i, float f, float g, float o) {
    const LstmWeights w{.w_ih = Tensor::from({4, 1}, {i, f, g, o}),
                        .w_hh = Tensor::zeros({4, 1}),
                        .b_ih = {},
                        .b_hh = {}};
    return lstm(Tensor::full({1, 1, 1}, 1), {}, Tensor::full({1, 1}, 0.5F), w).c.item();
  };
  EXPECT_NEAR(gate_inputs(-50, 50, 50, 0), 0.5, 1e-6);   // only the old cell state
  EXPECT_NEAR(gate_inputs(50, -50, 50, 0), 1, 1e-6);     // only the new value
  EXPECT_NEAR(gate_inputs(50, 50, -50, 0), -0.5, 1e-6);  // both
}

TEST(Lstm, StateCarriesOver) {
  const LstmWeights w = random_weights(3, 5);
  const Tensor x = random_tensor({6, 2, 3}, 1);
  const LstmResult whole = lstm(x, {}, {}, w);
  const LstmResult first = lstm(slice(x, 0, 4), {}, {}, w);
  const LstmResult second = lstm(slice(x, 4, 6), first.h, first.c, w);
  expect_close(values(second.y), values(slice(whole.y, 4, 6)));
  expect_close(values(second.h), values(whole.h));
  expect_close(values(second.c), values(whole.c));
}

TEST(Lstm, CellIsOneStep) {
  const LstmWeights w = random_weights(3, 5);
  const Tensor x = random_tensor({3, 2, 3}, 1);
  LstmState state;
  for (std::int64_t t = 0; t < 3; ++t)
    state = lstm_cell(reshape(slice(x, t, t + 1), {2, 3}), state.h, state.c, w);
  const LstmResult whole = lstm(x, {}, {}, w);
  expect_close(values(state.h), values(whole.h));
  expect_close(values(state.c), values(whole.c));
}

TEST(Lstm, BackwardTwiceIsTwiceTheGradient) {
  LstmWeights w = random_weights(3, 5);
  w.w_hh.set_requires_grad();
  const Tensor loss = sum(lstm(random_tensor({4, 2, 3}, 1), {}, {}, w).y);
  loss.backward();
  const std::vector<float> once = values(scale(w.w_hh.grad(), 2));
  loss.backward();
  EXPECT_EQ(values(w.w_hh.grad()), once);
}

TEST(Lstm, TakesNothingFromTheSystemAfterTheFirstStep) {
  LstmWeights w = random_weights(20, 24);
  for (Tensor* leaf : {&w.w_ih, &w.w_hh, &w.b_ih, &w.b_hh}) leaf->set_requires_grad();
  const Tensor x = random_tensor({4, 8, 20}, 1);
  const auto step = [&] { sum(lstm(x, {}, {}, w).y).backward(); };
  step();
  const std::size_t calls = memory_use().system_calls, live = memory_use().live_bytes;
  step();
#ifdef TERSE_CACHING_ALLOCATOR
  EXPECT_EQ(memory_use().system_calls, calls);
#endif
  EXPECT_EQ(memory_use().live_bytes, live);
  EXPECT_GT(calls, 0U);
}

TEST(Lstm, NamesWhatDoesNotFit) {
  const auto message = [](const Shape& x, const Tensor& h, const Tensor& c,
                          const LstmWeights& w) -> std::string {
    try {
      lstm(Tensor::zeros(x), h, c, w);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const LstmWeights w = random_weights(3, 5);
  LstmWeights wrong = w;
  EXPECT_EQ(message({4, 2, 2}, {}, {}, w),
            "lstm: expected x (T, N, D), w_ih (4F, D) and w_hh (4F, F); got (4, 2, 2), (20, 3) "
            "and (20, 5)");
  EXPECT_EQ(message({0, 2, 3}, {}, {}, w),
            "lstm: expected at least one time step; got x (0, 2, 3)");
  EXPECT_EQ(message({4, 2, 3}, Tensor::zeros({2, 4}), {}, w),
            "lstm: the initial h must be (N, F) = (2, 5) for x (4, 2, 3) and w_hh (20, 5); got "
            "(2, 4)");
  EXPECT_EQ(
      message({4, 2, 3}, {}, Tensor::zeros({5}), w),
      "lstm: the initial c must be (N, F) = (2, 5) for x (4, 2, 3) and w_hh (20, 5); got (5)");
  wrong.b_hh = Tensor::zeros({5});
  EXPECT_EQ(message({4, 2, 3}, {}, {}, wrong), "lstm: b_hh must be (20) for w_hh (20, 5); got (5)");
  wrong = w;
  wrong.w_hh = Tensor::zeros({5, 20});
  EXPECT_NE(
      message({4, 2, 3}, {}, {}, wrong).find("expected x (T, N, D), w_ih (4F, D) and w_hh (4F, F)"),
      std::string::npos);
}

}  // namespace
}  // namespace terse
