// How often the sign of a noisy gradient is correct: proven bounds for one sign and for a vote.
#include <gtest/gtest.h>

#include "problem_runs.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::problems {
namespace {

TEST(SignLaws, BoundsHoldForNormalNoiseInTheirOrder) {
  for (const double snr : {0.1, 0.5, 1.0, 1.1547, 1.2, 2.0, 4.0}) {
    const auto problem = make_quadratic({1}, {{0}});
    const auto oracle = shared_data(*problem, {.batch = 0, .noise = {1 / snr}, .seed = 9});
    constexpr int kDraws = 20'000;
    const double rho = sign_chances(*problem, oracle, 1, Vector{1}, 0, kDraws).correct[0];
    const double exact = phi(snr);
    EXPECT_NEAR(rho, exact, 5 * std::sqrt(exact * (1 - exact) / kDraws) + 1e-4) << snr;
    EXPECT_LE(rho_bound(snr), gauss_bound(snr)) << snr;
    EXPECT_LE(gauss_bound(snr), exact) << snr;
  }
  EXPECT_NEAR(phi(0.1), 0.5398, 5e-5);
  EXPECT_NEAR(rho_bound(0.1), 0.5273, 5e-5);
  EXPECT_NEAR(rho_bound(1), 0.6830, 5e-5);
  EXPECT_NEAR(rho_bound(4), 0.8489, 5e-5);
}

// P(g + U > 0) = 1/2 + S / (2 sqrt 3) if U is uniform and its standard deviation is g / S.
TEST(SignLaws, UniformNoiseAttainsGausssBound) {
  constexpr int kDraws = 50'000;
  for (const double snr : {0.1, 0.5, 1.0, 1.15}) {
    Philox draws(5, {.purpose = Purpose::test});
    int right = 0;
    for (int i = 0; i < kDraws; ++i) {
      right += 1 + (2 * draws.uniform_double() - 1) * std::sqrt(3.0) / snr > 0;
    }
    const double bound = gauss_bound(snr);
    EXPECT_NEAR(right / double{kDraws}, bound, 5 * std::sqrt(bound * (1 - bound) / kDraws)) << snr;
  }
}

// Two-point noise: usually slightly to the wrong side, rarely far to the right side.
TEST(SignLaws, BoundsDoNotHoldForSkewedNoise) {
  constexpr double kRight = 0.1;  // g = 1; g + noise is -1 with probability 0.9, else 19
  const double sigma = std::sqrt(0.9 * 4 + 0.1 * 18 * 18);
  EXPECT_LT(kRight, rho_bound(1 / sigma));
}

TEST(SignLaws, VoteSucceedsAsOftenAsTheBeta) {
  EXPECT_NEAR(vote_success(0.7, 1), 0.7, 1e-12);
  EXPECT_NEAR(vote_success(0.7, 3), 0.343 + 3 * 0.49 * 0.3, 1e-12);
  EXPECT_NEAR(vote_success(0.5, 15), 0.5, 1e-12);
  EXPECT_EQ(vote_success(1, 5), 1);
  EXPECT_EQ(vote_success(0, 5), 0);
  const auto problem = make_quadratic({1}, {{0}});
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = {2}, .seed = 3});
  const double rho = phi(0.5);
  constexpr int kDraws = 20'000;
  for (const std::uint32_t nodes : {1U, 2U, 3U, 4U, 7U, 8U, 15U}) {
    const auto vote = sign_chances(*problem, oracle, nodes, Vector{1}, 0, kDraws);
    const double tie = 1 - vote.correct[0] - vote.wrong[0];
    EXPECT_NEAR(vote.correct[0] + tie / 2, vote_success(rho, nodes), 5 * 0.5 / std::sqrt(kDraws))
        << nodes;
    EXPECT_EQ(tie > 1e-9, nodes % 2 == 0) << nodes;
  }
}

TEST(SignLaws, NoiseFallsExponentiallyWithTheNodes) {
  for (std::uint32_t l = 1; l <= 15; ++l) {
    for (double rho = 0.5; rho <= 1; rho += 0.01) {
      const double margin = 2 * vote_success(rho, 2 * l - 1) - 1;
      EXPECT_LE(margin, 1 + 1e-12);
      EXPECT_GE(margin + 1e-12, 1 - std::exp(-std::pow(2 * rho - 1, 2) * l)) << l << ' ' << rho;
    }
  }
}

// The probability that the sign of a mean of tau samples is correct. A sample, 1 + noise, is -1
// with probability 0.9 and 19 otherwise, so the mean is positive if 20 times the number of large
// samples exceeds tau. Computed exactly, without random draws.
double skewed_success(int tau) {
  double wrong = 0, chance = std::pow(0.9, tau);  // of k = 0 large samples
  for (int k = 0; 20 * k <= tau; ++k) {
    wrong += chance;
    chance *= 0.1 / 0.9 * (tau - k) / (k + 1);
  }
  return 1 - wrong;
}

TEST(SignLaws, BatchesMakeSignsRightWhateverTheNoise) {
  constexpr double kVariance = 36, kThird = 0.9 * 8 + 0.1 * 18 * 18 * 18;  // of the noise, g = 1
  EXPECT_LT(skewed_success(1), 0.5);
  EXPECT_LT(skewed_success(6), 0.5);
  for (int tau = 1; tau <= 400; ++tau) {
    if (tau > 2 * kVariance) {
      EXPECT_GE(skewed_success(tau), 1 - kVariance / tau) << tau;
    }
    if (tau > 2 * std::min(kVariance, kThird / kVariance)) {
      EXPECT_GT(skewed_success(tau), 0.5) << tau;
    }
    EXPECT_LE(1 - skewed_success(tau), 1 / (1 + tau / kVariance)) << "Cantelli's bound, " << tau;
  }
}

// One term of Rosenbrock's function depends on two of ten coordinates. The sign of the other
// coordinates is zero, which is neither correct nor wrong. Progress depends on P(right) - P(wrong).
TEST(SignLaws, TermsOfRosenbrockTouchTwoCoordinates) {
  const auto problem = make_rosenbrock(10);
  constexpr int kDraws = 20'000;
  const Vector x(10, -0.5);
  const auto chances = sign_chances(*problem, shared_data(*problem, {.seed = 3}), 1, x, 0, kDraws);
  for (std::size_t i = 0; i < 10; ++i) {
    const double touched = i == 0 || i == 9 ? 1.0 / 9 : 2.0 / 9;
    EXPECT_NEAR(chances.correct[i] + chances.wrong[i], touched,
                5 * std::sqrt(touched * (1 - touched) / kDraws));
  }
  Vector gradient(10);
  problem->gradient(x, gradient);
  EXPECT_GT(chances.rho_norm(gradient), 0) << "though no sign is right half of the time";
  EXPECT_EQ(chances.rho_norm(Vector(10)), 0);
}

// sum (2 rho - 1) |g| is at least sum g^2 / (|g| + sqrt 3 sigma).
TEST(SignLaws, RhoNormIsAtLeastTheMixedNorm) {
  const auto problem = make_quadratic(Vector(6, 1), {Vector(6, 0)});
  const Vector x{0.05, 0.2, 1, 2, 5, 0}, sigma{1, 1, 1, 1, 1, 1};
  constexpr int kDraws = 20'000;
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = sigma, .seed = 2});
  const double measured = sign_chances(*problem, oracle, 1, x, 0, kDraws).rho_norm(x);
  double bound = 0, deviation = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    bound += x[i] * x[i] / (x[i] + std::sqrt(3.0) * sigma[i]);
    deviation += x[i] / std::sqrt(kDraws);
  }
  EXPECT_GT(measured, bound - 5 * deviation);
  EXPECT_LT(measured, norm(x) * std::sqrt(6));
}

}  // namespace
}  // namespace terse::problems
