// Kernels against naive implementations.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/feedback.hpp"
#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/kernels/sample.hpp"
#include "tersegrad/optim/kernels/select.hpp"
#include "tersegrad/optim/kernels/tally.hpp"

namespace terse {
namespace {

std::vector<float> odd_values(std::int64_t n, std::uint32_t draw) {
  constexpr std::array<float, 5> kOdd{0.0F, -0.0F, std::numeric_limits<float>::quiet_NaN(),
                                      -std::numeric_limits<float>::infinity(), -1e-45F};
  Philox random(3, {.step = draw});
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = random.below(4) == 0 ? kOdd[random.below(5)] : random.normal();
  return x;
}

bool bit(const std::vector<std::uint32_t>& plane, std::int64_t i) {
  return (plane[i / 32] >> (i % 32) & 1U) != 0;
}

TEST(Bits, PackAndUnpackAtAnyPlaceAreTheNaiveOnes) {
  for (const std::int64_t n : {0, 1, 7, 31, 32, 33, 64, 100, 70001}) {
    for (const std::int64_t at : {0, 1, 31, 32, 45}) {
      const auto x = odd_values(n, static_cast<std::uint32_t>(n + at));
      std::vector<std::uint32_t> negative(kernels::words_for(at + n)), nonzero = negative;
      auto in_one_pass = negative;
      kernels::pack_negative(x, at, negative);
      kernels::pack_nonzero(x, at, nonzero);
      const double norm = kernels::pack_signs(x, at, in_one_pass);
      ASSERT_EQ(in_one_pass, negative);
      ASSERT_EQ(std::bit_cast<std::uint64_t>(norm),
                std::bit_cast<std::uint64_t>(kernels::norm1(x)));
      std::vector<float> signs(x.size()), sums(x.size(), 1.0F), ternary(x.size());
      kernels::unpack_signs(negative, at, 2.5F, signs);
      kernels::add_signs(negative, at, 2.5F, sums);
      kernels::unpack_ternary(nonzero, negative, at, ternary);
      for (std::int64_t i = 0; i < n; ++i) {
        const bool minus = x[i] < 0;
        ASSERT_EQ(bit(negative, at + i), minus) << n << " at " << at << ", value " << i;
        ASSERT_EQ(signs[i], minus ? -2.5F : 2.5F);
        ASSERT_EQ(sums[i], minus ? -1.5F : 3.5F);
        ASSERT_EQ(ternary[i], x[i] == 0 ? 0.0F : minus ? -1.0F : 1.0F);
      }
      for (std::int64_t i = 0; i < at; ++i) ASSERT_FALSE(bit(negative, i)) << "before its place";
      for (auto i = at + n; i < std::ssize(negative) * 32; ++i) ASSERT_FALSE(bit(negative, i));
    }
  }
}

TEST(Bits, CoinsDecideForZerosAlone) {
  const kernels::Coins coins(5, 7, Purpose::compress, 3);
  for (const std::int64_t n : {0, 1, 31, 33, 2048, 70001}) {
    for (const std::int64_t at : {0, 1, 31, 45}) {
      for (const std::int64_t first : {0, 32, 70}) {
        const auto x = odd_values(n, static_cast<std::uint32_t>(n + at));
        std::vector<std::uint32_t> plane(kernels::words_for(at + n));
        kernels::pack_negative_or_toss(x, at, coins, first, plane);
        for (std::int64_t i = 0; i < n; ++i) {
          const bool coin = (coins.from(first + at + i) & 1U) != 0;
          ASSERT_EQ(bit(plane, at + i), x[i] == 0 ? coin : x[i] < 0)
              << n << " at " << at << ", value " << i;
        }
        for (std::int64_t i = 0; i < at; ++i) ASSERT_FALSE(bit(plane, i)) << "before its place";
        for (auto i = at + n; i < std::ssize(plane) * 32; ++i) ASSERT_FALSE(bit(plane, i));
      }
    }
  }
}

bool same_value(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

// Checks the chosen values of x = e + g and the remaining residual. `expected` holds the chosen
// coordinates + 5.
void expect_fed_selection(const std::vector<float>& x, bool take,
                          const std::vector<std::uint32_t>& expected) {
  std::vector<float> e(x.size()), g(x.size()), values(expected.size());
  for (std::size_t i = 0; i < x.size(); ++i) (i % 3 == 0 ? g : e)[i] = x[i];
  auto left = x;
  for (const auto i : expected) left[i - 5] -= take ? x[i - 5] : 0;
  std::vector<std::uint32_t> at(expected.size());
  kernels::LargestSelector().accumulate_and_select(g, 1, e, take, 5, at, values);
  ASSERT_TRUE(at == expected) << "take = " << take;
  for (std::size_t entry = 0; entry < at.size(); ++entry) {
    ASSERT_TRUE(same_value(values[entry], x[at[entry] - 5])) << "take = " << take;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_TRUE(same_value(e[i], left[i])) << "take = " << take << ", i = " << i;
  }
}

// The inputs are large enough for sampling. Each result must equal that of sorting all values.
TEST(Select, LargestAreThoseOfASortForAllKindsOfValues) {
  constexpr std::int64_t kMany = (1 << 18) + 77;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Philox random(17, {});
  const std::vector<std::pair<std::string, std::function<float(std::int64_t)>>> kinds{
      {"normal", [&](auto) { return random.normal(); }},
      {"few magnitudes", [&](auto) { return static_cast<float>(random.below(5)); }},
      {"all equal", [](auto) { return -2.0F; }},
      {"mostly zero", [](auto i) { return i % 1000 == 0 ? 1.0F : 0.0F; }},
      {"large ones together", [&](auto i) { return random.normal() * (i < 2000 ? 1e3F : 1.0F); }},
      // The sample contains two lines of large values, so the first estimate for one in a hundred
      // finds too few values.
      {"large ones where a sample looks",
       [&](auto i) {
         const auto line = i / 16 % 256;
         return random.normal() * (line == 0 || line == 121 ? 1e3F : 1.0F);
       }},
      {"denormal", [&](auto) { return 1e-42F * random.normal(); }},
      {"NaN and infinite", [&](auto i) {
         return i % 300 == 1 ? nan : i % 300 == 7 ? 1 / 0.0F : random.normal();
       }}};
  for (const auto& [name, value] : kinds) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < kMany; ++i) x.push_back(value(i));
    std::vector<std::uint32_t> magnitudes(x.size()), order(x.size());
    kernels::magnitude_bits(x, magnitudes);
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return magnitudes[a] > magnitudes[b]; });
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, std::int64_t{30}, kMany / 100,
                                 kMany / 9, kMany / 2, kMany}) {
      std::vector<std::uint32_t> expected(order.begin(), order.begin() + k);
      std::ranges::sort(expected);
      std::vector<std::uint32_t> of_values(expected.size()), of_magnitudes = of_values;
      std::vector<float> values(expected.size());
      kernels::LargestSelector().select(magnitudes, of_magnitudes);
      EXPECT_TRUE(of_magnitudes == expected) << name << ", k = " << k;
      for (auto& i : expected) i += 5;
      kernels::LargestSelector().select(x, 5, of_values, values);
      EXPECT_TRUE(of_values == expected) << name << ", k = " << k;
      for (std::size_t entry = 0; entry < values.size(); ++entry) {
        EXPECT_TRUE(same_value(values[entry], x[expected[entry] - 5])) << name << ", k = " << k;
      }
      for (const bool take : {false, true}) expect_fed_selection(x, take, expected);
    }
  }
}

TEST(Tally, ComparesCountsAsIntegersDo) {
  Philox random(5, {});
  constexpr int kWords = 13;  // not a multiple of the number of words that are counted at once
  for (const std::size_t voters : {0, 1, 2, 3, 8, 15, 16, 100}) {
    std::vector<kernels::TallyBlock> votes_a(voters), votes_b(voters);
    std::vector<int> count_a(32 * kWords), count_b(32 * kWords);
    const auto draw = [&](kernels::TallyBlock& votes, std::vector<int>& count) {
      for (int i = 0; i < 32 * kWords; ++i) {
        if (i % 32 == 0) votes[i / 32] = random.next();
        count[i] += static_cast<int>(votes[i / 32] >> (i % 32) & 1U);
      }
    };
    for (auto& votes : votes_a) draw(votes, count_a);
    for (auto& votes : votes_b) draw(votes, count_b);
    const kernels::Tally a(voters, kWords,
                           [&](std::size_t v, const kernels::TallyLanes& lanes, auto& words) {
                             lanes.load(votes_a[v].data(), words);
                           });
    const kernels::Tally b(voters, kWords,
                           [&](std::size_t v, const kernels::TallyLanes& lanes, auto& words) {
                             lanes.load(votes_b[v].data(), words);
                           });
    const auto half = static_cast<std::uint32_t>(voters / 2);
    kernels::TallyBlock greater{}, equal{}, above{}, at{};
    a.compare(b, greater, equal);
    a.compare(half, above, at);
    const auto bit = [](const kernels::TallyBlock& block, int i) {
      return (block[i / 32] >> (i % 32) & 1U) != 0;
    };
    for (int i = 0; i < 32 * kWords; ++i) {
      EXPECT_EQ(bit(greater, i), count_a[i] > count_b[i]) << voters;
      EXPECT_EQ(bit(equal, i), count_a[i] == count_b[i]) << voters;
      EXPECT_EQ(bit(above, i), count_a[i] > static_cast<int>(half)) << voters;
      EXPECT_EQ(bit(at, i), count_a[i] == static_cast<int>(half)) << voters;
      std::uint32_t count = 0;
      for (int p = 0; p < kernels::kTallyPlanes; ++p) {
        count |= (a.word(p, i / 32) >> (i % 32) & 1U) << p;
      }
      EXPECT_EQ(count, static_cast<std::uint32_t>(count_a[i])) << voters;
    }
  }
}

TEST(Select, AgreesWithAStableSort) {
  for (const std::int64_t n : {1, 2, 33, 1000}) {
    auto x = odd_values(n, static_cast<std::uint32_t>(n));
    for (float& value : x) value = std::round(value * 2) / 2;  // many ties
    const auto size = [&](std::uint32_t i) {
      return std::isnan(x[i]) ? std::numeric_limits<float>::infinity() : std::abs(x[i]);
    };
    std::vector<std::uint32_t> order(x.size()), magnitudes(x.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return size(a) > size(b); });
    kernels::magnitude_bits(x, magnitudes);
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, n / 3, n}) {
      std::vector<std::uint32_t> expected(order.begin(), order.begin() + k),
          chosen(expected.size());
      std::ranges::sort(expected);
      kernels::LargestSelector().select(magnitudes, chosen);
      EXPECT_EQ(chosen, expected) << "k = " << k << " of " << n;
    }
  }
}

TEST(Sample, EverySubsetIsEquallyLikely) {
  constexpr int kDraws = 20000;
  std::vector<int> seen(32);  // by subset, as a bit mask of 5
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    const auto drawn = kernels::sample(5, 2, Philox(7, {.step = draw}));
    const auto chosen = drawn.span();
    ASSERT_EQ(chosen.size(), 2U);
    ASSERT_LT(chosen[0], chosen[1]);
    ++seen[(1U << chosen[0]) | (1U << chosen[1])];
  }
  const double expected = kDraws / 10.0, spread = std::sqrt(kDraws * 0.1 * 0.9);
  for (std::uint32_t subset = 0; subset < 32; ++subset) {
    if (std::popcount(subset) != 2) continue;
    EXPECT_NEAR(seen[subset], expected, 5 * spread) << "subset " << subset;
  }
  EXPECT_TRUE(kernels::sample(0, 0, Philox(7, {})).span().empty());
}

// Floyd's algorithm with the draws of Philox::below, one after the other, and an ordered set.
TEST(Sample, HasTheMembersOfANaiveSample) {
  for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                             {4, 4},
                             {64, 3},
                             {65, 65},
                             {1000, 257},
                             {100'000, 1},
                             {100'000, 1000},
                             {100'000, 60'000}}) {
    Philox random(3, {.step = 9, .tensor = static_cast<std::uint32_t>(k)});
    const auto drawn = kernels::sample(n, k, random);
    std::set<std::uint32_t> naive;
    for (std::int64_t last = n - k; last < n; ++last) {
      const auto pick = random.below(static_cast<std::uint64_t>(last) + 1);
      if (!naive.insert(static_cast<std::uint32_t>(pick)).second) {
        naive.insert(static_cast<std::uint32_t>(last));
      }
    }
    EXPECT_TRUE(std::ranges::equal(drawn.span(), naive)) << k << " of " << n;
  }
}

double column_dot(const std::vector<float>& p, std::int64_t n, std::int64_t a, std::int64_t b) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += double{p[a * n + i]} * p[b * n + i];
  return sum;
}

TEST(Orthonormalise, FullRankGivesTheIdentity) {
  for (const float scale : {1.0F, 1e-30F, 1e30F}) {
    constexpr std::int64_t kN = 50, kR = 6;
    std::vector<float> p(kN * kR);
    kernels::fill_normal(Philox(1, {}), p);
    for (float& value : p) value *= scale;
    EXPECT_TRUE(kernels::orthonormalise(kN, kR, p).empty());
    for (std::int64_t a = 0; a < kR; ++a) {
      for (std::int64_t b = 0; b < kR; ++b) {
        EXPECT_NEAR(column_dot(p, kN, a, b), a == b ? 1 : 0, 1e-6) << scale;
      }
    }
  }
}

// Numbers of rows and columns that fill blocks, vectors and pieces, and numbers that do not.
TEST(LowRank, ProductsAreTheNaiveOnesOnAnyThreads) {
  const int threads = thread_count();
  const auto normal = [](std::int64_t n, std::uint32_t draw) {
    std::vector<float> values(static_cast<std::size_t>(n));
    kernels::fill_normal(Philox(8, {.step = draw}), values);
    return values;
  };
  for (const auto& [n, m] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                             {3, 7},
                             {4, 8},
                             {5, 33},
                             {129, 19},
                             {300, 260}}) {
    for (const std::int64_t r : {1, 2, 3, 4, 7}) {
      const auto matrix = normal(n * m, 0), p = normal(r * n, 1), q = normal(r * m, 2);
      std::array<std::vector<float>, 4> results[2];
      for (const int t : {0, 1}) {
        set_thread_count(t == 0 ? 1 : 3);
        auto& [mq, mtp, out, added] = results[t];
        mq.resize(p.size());
        mtp.resize(q.size());
        out.resize(matrix.size());
        added = matrix;
        kernels::times_q({n, m, matrix}, r, q, mq);
        kernels::transposed_times_p({n, m, matrix}, r, p, mtp);
        kernels::outer_product(n, m, r, p, q, out);
        kernels::add_outer_product(n, m, r, p, q, -0.5F, added);
      }
      EXPECT_EQ(results[0], results[1]) << n << "x" << m << ", rank " << r;
      const auto& [mq, mtp, out, added] = results[0];
      std::vector<double> exact_mq(p.size()), exact_mtp(q.size());
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < m; ++j) {
          double product = 0;
          for (std::int64_t c = 0; c < r; ++c) {
            exact_mq[c * n + i] += double{matrix[i * m + j]} * q[c * m + j];
            exact_mtp[c * m + j] += double{matrix[i * m + j]} * p[c * n + i];
            product += double{p[c * n + i]} * q[c * m + j];
          }
          ASSERT_NEAR(out[i * m + j], product, 1e-5) << n << "x" << m << ", rank " << r;
          ASSERT_NEAR(added[i * m + j], matrix[i * m + j] - 0.5 * product, 1e-5);
        }
      }
      for (std::size_t i = 0; i < p.size(); ++i) ASSERT_NEAR(mq[i], exact_mq[i], 1e-4);
      for (std::size_t j = 0; j < q.size(); ++j) ASSERT_NEAR(mtp[j], exact_mtp[j], 1e-4);
    }
  }
  set_thread_count(threads);
}

// The pieces of a row end before, at and after the end of its columns.
TEST(LowRank, WhatIsOwedIsSubtractedAsIfItHadBeenBefore) {
  for (const std::int64_t m : {1, 511, 512, 513, 1100}) {
    for (const std::int64_t r : {1, 2, 5}) {
      constexpr std::int64_t kN = 3;
      const auto normal = [&](std::int64_t n, std::uint32_t draw) {
        std::vector<float> values(static_cast<std::size_t>(n));
        kernels::fill_normal(Philox(6, {.step = draw}), values);
        return values;
      };
      const auto g = normal(kN * m, 0), q = normal(r * m, 1);
      const auto pending_p = normal(r * kN, 2), pending_q = normal(r * m, 3);
      const kernels::Factors pending{.p = pending_p, .q = pending_q};
      auto fused = normal(kN * m, 4), apart = fused;
      std::vector<float> p(static_cast<std::size_t>(r * kN)), p_apart = p;
      kernels::accumulate_and_times_q(g, 0.7F, pending, fused, kN, m, r, q, p);
      kernels::subtract_outer_product(kN, m, pending, apart);
      kernels::accumulate_and_times_q(g, 0.7F, {}, apart, kN, m, r, q, p_apart);
      EXPECT_EQ(fused, apart) << m << ", rank " << r;
      EXPECT_EQ(p, p_apart) << m << ", rank " << r;
    }
  }
}

TEST(Orthonormalise, DependentZeroAndBrokenColumnsAreDroppedExactly) {
  constexpr std::int64_t kN = 20, kR = 6;
  std::vector<float> p(kN * kR);
  kernels::fill_normal(Philox(2, {}), p);
  for (std::int64_t i = 0; i < kN; ++i) {
    p[1 * kN + i] = -3 * p[i];
    p[2 * kN + i] = 0;
    p[4 * kN + i] = 2 * p[3 * kN + i] + p[i];
  }
  p[5 * kN + 7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(kernels::orthonormalise(kN, kR, p), (std::vector<std::int64_t>{1, 2, 4, 5}));
  for (const std::int64_t c : {1, 2, 4, 5}) {
    for (std::int64_t i = 0; i < kN; ++i) EXPECT_EQ(p[c * kN + i], 0);
  }
  EXPECT_NEAR(column_dot(p, kN, 0, 0), 1, 1e-6);
  EXPECT_NEAR(column_dot(p, kN, 0, 3), 0, 1e-6);
}

}  // namespace
}  // namespace terse
