#include "tersegrad/core/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

using Block = std::array<std::uint32_t, 4>;

// The known answers that the authors of Philox published.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, AnyPositionIsReachedDirectly) {
  Philox stream(7, {.purpose = Purpose::test, .worker = 1, .step = 2, .tensor = 3});
  const Philox same = stream;
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(stream.next(), same.at(i));
}

TEST(Philox, BlocksSideBySideAreTheSameWords) {
  const Philox stream(0x123456789abcdef,
                      {.purpose = Purpose::compress, .worker = 3, .step = 5, .tensor = 9});
  for (const std::uint64_t first :
       {std::uint64_t{0}, std::uint64_t{13}, (std::uint64_t{1} << 32) - 8}) {
    for (const std::size_t count : {1, 2, 3, 8}) {
      if (first + 8 * count > std::uint64_t{1} << 32) continue;
      std::vector<Philox::EightBlocks> eights(count);
      stream.blocks(first, eights);
      for (std::uint64_t b = 0; b < 8 * count; ++b) {
        for (std::uint64_t w = 0; w < 4; ++w) {
          EXPECT_EQ(eights[b / 8][8 * w + b % 8], stream.at(4 * (first + b) + w))
              << first << ": " << b << ", " << w;
        }
      }
    }
  }
  std::vector<Philox::EightBlocks> eights(2);
  EXPECT_THROW(stream.blocks((std::uint64_t{1} << 32) - 15, eights), InternalError);
}

TEST(Philox, EveryFieldOfAStreamMatters) {
  std::set<std::uint32_t> first;
  first.insert(Philox(7, {}).next());
  first.insert(Philox(8, {}).next());
  first.insert(Philox(7ULL << 32, {}).next());
  first.insert(Philox(7, {.purpose = Purpose::init}).next());
  first.insert(Philox(7, {.worker = 1}).next());
  first.insert(Philox(7, {.step = 1}).next());
  first.insert(Philox(7, {.tensor = 1}).next());
  EXPECT_EQ(first.size(), 7U);
  EXPECT_THROW(Philox(7, {.worker = 1U << 24}), Error);
}

TEST(Philox, MomentsOfUniformAndNormal) {
  Philox stream(1, {});
  constexpr int n = 100'000;
  double sum = 0, squares = 0, normal = 0, normal_squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = stream.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
    const double z = stream.normal();
    normal += z;
    normal_squares += z * z;
  }
  // The tolerances are five standard errors.
  EXPECT_NEAR(sum / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / n));
  EXPECT_NEAR(normal / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(normal_squares / n, 1, 5 * std::sqrt(2.0 / n));
}

TEST(Philox, BelowIsUniform) {
  Philox stream(3, {});
  std::vector<int> counts(7);
  constexpr int n = 70'000;
  for (int i = 0; i < n; ++i) ++counts[stream.below(7)];
  double chi_squared = 0;
  for (const int c : counts) chi_squared += (c - n / 7.0) * (c - n / 7.0) / (n / 7.0);
  EXPECT_LT(chi_squared, 30);  // 6 degrees of freedom: exceeded with probability 4e-5
  EXPECT_EQ(stream.below(1), 0U);
}

}  // namespace
}  // namespace terse
