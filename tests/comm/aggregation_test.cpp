// Tests of robust aggregation rules against plain loops.
#include "tersegrad/comm/topology/aggregation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

using Rows = std::vector<std::vector<float>>;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::span<const float>> spans(const Rows& rows) {
  return {rows.begin(), rows.end()};
}

// Rows with few different values, so that many values tie. With `odd`, they include NaN and
// infinities.
Rows random_rows(std::size_t workers, std::size_t n, bool odd, unsigned seed) {
  std::mt19937 draw(seed);
  Rows rows(workers, std::vector<float>(n));
  for (auto& row : rows) {
    for (auto& value : row) {
      const auto pick = draw() % 40;
      value = static_cast<float>(pick) * 0.37F - 7;
      if (odd && pick < 3) value = pick == 0 ? kNaN : pick == 1 ? kInfinity : -kInfinity;
      if (pick == 3) value = -0.0F;
    }
  }
  return rows;
}

std::vector<float> column(const Rows& rows, std::size_t i) {
  std::vector<float> all;
  for (const auto& row : rows) all.push_back(row[i]);
  std::ranges::sort(all, [](float a, float b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
  return all;
}

float naive_mean(std::vector<float>::const_iterator begin, std::vector<float>::const_iterator end) {
  return static_cast<float>(std::accumulate(begin, end, 0.0) / static_cast<double>(end - begin));
}

std::vector<float> combined(const std::string& spec, const Rows& rows) {
  std::vector<float> out(rows.front().size(), 99.0F);
  aggregate(parse_aggregation(spec), spans(rows), out);
  return out;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

void expect_same(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(wanted[i])) {
      EXPECT_TRUE(std::isnan(got[i])) << i;
    } else {
      EXPECT_EQ(got[i], wanted[i]) << i;
    }
  }
}

TEST(Median, IsThatOfEachSortedColumn) {
  for (const std::size_t workers : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 33, 200}) {
    for (const std::size_t n : {1, 7, 16, 700}) {
      const auto rows = random_rows(workers, n, workers % 2 == 1, static_cast<unsigned>(n));
      std::vector<float> wanted;
      for (std::size_t i = 0; i < n; ++i) {
        const auto all = column(rows, i);
        const auto middle = all.begin() + static_cast<std::ptrdiff_t>((workers - 1) / 2);
        wanted.push_back(naive_mean(middle, middle + (workers % 2 == 1 ? 1 : 2)));
      }
      SCOPED_TRACE(workers);
      expect_same(combined("median", rows), wanted);
    }
  }
}

TEST(Median, SpansMoreThanOnePieceOfWork) {
  const auto rows = random_rows(5, 20000, false, 3);
  const auto got = combined("median", rows);
  for (const std::size_t i :
       {std::size_t{0}, std::size_t{4095}, std::size_t{4096}, rows[0].size() - 1})
    EXPECT_EQ(got[i], column(rows, i)[2]);
}

TEST(Median, IsNotPoisonedByAMinority) {
  const Rows rows = {{1, 1, 1, 1},
                     {kNaN, kInfinity, -kInfinity, kNaN},
                     {2, 2, 2, 2},
                     {kNaN, kNaN, -kInfinity, -kInfinity},
                     {3, 3, 3, 3}};
  expect_same(combined("median", rows), {3, 3, 1, 2});
  expect_same(combined("median", {{kNaN}, {kNaN}, {1}}), {kNaN});
  expect_same(combined("median", {{3e38F}, {3e38F}}), {3e38F});  // the sum does not overflow
}

TEST(TrimmedMean, LeavesOutTheSmallestAndTheLargest) {
  for (const std::size_t workers : {1, 2, 3, 5, 8, 15}) {
    for (std::size_t f = 0; 2 * f < workers; ++f) {
      const auto rows = random_rows(workers, 333, false, 7);
      std::vector<float> wanted;
      for (std::size_t i = 0; i < 333; ++i) {
        const auto all = column(rows, i);
        const auto skip = static_cast<std::ptrdiff_t>(f);
        wanted.push_back(naive_mean(all.begin() + skip, all.end() - skip));
      }
      expect_same(combined("trimmed:f=" + std::to_string(f), rows), wanted);
    }
  }
  expect_same(combined("trimmed", {{kNaN, -kInfinity}, {1, 1}, {3, 3}, {2, 2}}), {2.5F, 1.5F});
}

TEST(TrimmedMean, OfNoneIsTheMean) {
  const auto rows = random_rows(6, 50, false, 11);
  const auto got = combined("trimmed:f=0", rows);
  for (std::size_t i = 0; i < got.size(); ++i) {
    float sum = 0;
    for (const auto& row : rows) sum += row[i];
    EXPECT_NEAR(got[i], sum / 6, 1e-5);
  }
}

// Krum by the definition in the paper: the index of the row with the lowest sum of squared
// distances to its W - f - 2 closest rows.
std::size_t naive_krum(const Rows& rows, std::size_t f) {
  std::vector<double> scores;
  for (const auto& a : rows) {
    std::vector<double> apart;
    for (const auto& b : rows) {
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - double{b[i]}, 2);
      if (&a != &b) apart.push_back(sum);
    }
    std::ranges::sort(apart);
    const auto near = static_cast<std::ptrdiff_t>(rows.size() - f - 2);
    scores.push_back(std::accumulate(apart.begin(), apart.begin() + near, 0.0));
  }
  return static_cast<std::size_t>(std::ranges::min_element(scores) - scores.begin());
}

TEST(Krum, ChoosesTheVectorWithTheNearestNeighbours) {
  for (const std::size_t workers : {3, 4, 7, 15}) {
    for (std::size_t f = 0; f + 2 < workers; ++f) {
      for (const std::size_t n : {1, 9, 5000}) {
        std::mt19937 draw(static_cast<unsigned>(workers * 100 + f));
        Rows rows(workers, std::vector<float>(n));
        for (auto& row : rows) {
          for (auto& value : row) value = static_cast<float>(draw() % 1000);  // sums are exact
        }
        EXPECT_EQ(static_cast<std::size_t>(krum(spans(rows), static_cast<int>(f))),
                  naive_krum(rows, f))
            << workers << " workers, f " << f << ", " << n << " values";
      }
    }
  }
}

TEST(Krum, OfThoseThatTieTheLowestRankIsChosen) {
  EXPECT_EQ(krum(spans({{9}, {0}, {1}, {0}, {1}}), 1), 1);
  EXPECT_EQ(krum(spans({{0}, {0}, {0}}), 0), 0);
}

TEST(Krum, NeverChoosesAVectorThatIsNotFiniteAmongEnoughOthers) {
  const Rows rows = {{kNaN, 1}, {1, 1}, {1, 2}, {1, kInfinity}, {2, 1}, {1.5F, 1}, {1, 1.25F}};
  EXPECT_EQ(krum(spans(rows), 2), 5);
  EXPECT_EQ(combined("krum:f=2", rows), (std::vector<float>{1.5F, 1}));
}

TEST(RobustRules, DoNotKnowTheOrderOfTheWorkers) {
  auto rows = random_rows(8, 100, true, 5);
  std::mt19937 draw(1);
  const std::vector<std::string> specs = {"median", "trimmed:f=0", "trimmed:f=3"};
  std::vector<std::vector<float>> first;
  for (const auto& spec : specs) first.push_back(combined(spec, rows));
  const auto finite = random_rows(8, 100, false, 6);
  const auto chosen = combined("krum:f=2", finite);
  for (int i = 0; i < 20; ++i) {
    std::ranges::shuffle(rows, draw);
    for (std::size_t s = 0; s < specs.size(); ++s) {
      EXPECT_TRUE(same_bits(combined(specs[s], rows), first[s])) << specs[s];
    }
    auto shuffled = finite;
    std::ranges::shuffle(shuffled, draw);
    EXPECT_TRUE(same_bits(combined("krum:f=2", shuffled), chosen));
  }
}

TEST(AggregationSpec, SaysWhatItReads) {
  for (const auto* spec : {"mean", "median", "trimmed:f=2", "krum:f=0"}) {
    EXPECT_EQ(to_string(parse_aggregation(spec)), spec);
  }
  EXPECT_EQ(to_string(parse_aggregation("krum")), "krum:f=1");
  for (const auto* wrong : {"medain", "median:f=1", "trimmed:f=-1", "krum:g=1", "mean+median"}) {
    EXPECT_THROW(parse_aggregation(wrong), UsageError) << wrong;
  }
}

}  // namespace
}  // namespace terse
