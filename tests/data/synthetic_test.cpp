#include "tersegrad/data/synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/data/datasets.hpp"

namespace terse {
namespace {

// The share of test samples for which the nearest class mean of the training split is that of their
// own class.
double nearest_mean_accuracy(const DatasetSplits& data) {
  const auto& [train, test, valid] = data;
  const auto each = static_cast<std::size_t>(train.sample_size());
  std::vector<std::vector<double>> means(train.classes, std::vector<double>(each));
  std::vector<double> counts(train.classes);
  for (std::int64_t i = 0; i < train.size(); ++i) {
    const auto label = train.labels[i];
    ++counts[label];
    for (std::size_t j = 0; j < each; ++j) means[label][j] += train.sample(i)[j];
  }
  for (std::size_t k = 0; k < means.size(); ++k) {
    for (auto& value : means[k]) value /= counts[k];
  }
  double right = 0;
  for (std::int64_t i = 0; i < test.size(); ++i) {
    std::vector<double> distances;
    for (const auto& mean : means) {
      double distance = 0;
      for (std::size_t j = 0; j < each; ++j) {
        const double d = test.sample(i)[j] - mean[j];
        distance += d * d;
      }
      distances.push_back(distance);
    }
    const auto nearest = std::min_element(distances.begin(), distances.end()) - distances.begin();
    right += nearest == test.labels[i];
  }
  return right / static_cast<double>(test.size());
}

TEST(Synthetic, SameSeedGivesTheSameBytes) {
  const SyntheticOptions small{.train = 50, .test = 20};
  const auto a = make_synthetic(small, 7), b = make_synthetic(small, 7),
             c = make_synthetic(small, 8);
  EXPECT_EQ(a.train.pixels, b.train.pixels);
  EXPECT_EQ(a.test.pixels, b.test.pixels);
  EXPECT_NE(a.train.pixels, c.train.pixels);
}

TEST(Synthetic, BytesAreTheSameOnEveryMachine) {
  const auto data = make_synthetic({.classes = 3, .size = 8, .train = 4, .test = 1}, 1);
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const auto byte : data.train.pixels) hash = (hash ^ byte) * 0x100000001b3ULL;
  EXPECT_EQ(hash, 8844156305686735023ULL);
}

TEST(Synthetic, FirstSamplesDoNotDependOnHowManyThereAre) {
  const auto few = make_synthetic({.train = 30, .test = 10}, 1);
  const auto many = make_synthetic({.train = 90, .test = 20}, 1);
  EXPECT_TRUE(
      std::equal(few.train.pixels.begin(), few.train.pixels.end(), many.train.pixels.begin()));
  EXPECT_TRUE(std::equal(few.test.pixels.begin(), few.test.pixels.end(), many.test.pixels.begin()));
}

TEST(Synthetic, TestSamplesAreNotTrainingSamples) {
  const auto data = make_synthetic({.train = 20, .test = 20}, 1);
  EXPECT_NE(data.train.pixels, data.test.pixels);
}

TEST(Synthetic, OptionsOfTheSpecGiveTheShape) {
  const auto data =
      load_dataset("synthetic:classes=4,size=12,channels=3,train=40,test=9,noise=0.5", 1);
  EXPECT_EQ(data.train.classes, 4);
  EXPECT_EQ(data.train.channels, 3);
  EXPECT_EQ(data.train.height, 12);
  EXPECT_EQ(data.train.size(), 40);
  EXPECT_EQ(data.test.size(), 9);
  for (std::int32_t label = 0; label < 4; ++label) {
    EXPECT_EQ(std::count(data.train.labels.begin(), data.train.labels.end(), label), 10);
  }
}

TEST(Synthetic, WithoutNoiseTwoSamplesOfAClassDifferByAShift) {
  const auto data =
      make_synthetic({.classes = 2, .size = 16, .train = 4, .test = 1, .noise = 0}, 3);
  const auto a = data.train.sample(0), b = data.train.sample(2), other = data.train.sample(1);
  const auto shifted_equal = [](auto first, auto second) {
    for (int dy = 0; dy < 16; ++dy) {
      for (int dx = 0; dx < 16; ++dx) {
        bool equal = true;
        for (int i = 0; i < 256 && equal; ++i) {
          equal = first[i] == second[(i / 16 + dy) % 16 * 16 + (i + dx) % 16];
        }
        if (equal) return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(shifted_equal(a, b));
  EXPECT_FALSE(shifted_equal(a, other));
}

TEST(Synthetic, StatisticsAreThoseOfTheTrainingSplit) {
  const auto data = make_synthetic({.channels = 2, .train = 100, .test = 10}, 1);
  ASSERT_EQ(data.train.statistics.mean.size(), 2U);
  EXPECT_EQ(data.test.statistics.mean, data.train.statistics.mean);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(data.train.statistics.mean[c], 0.5, 0.02);
    // Pattern and noise each have a standard deviation of 32 / 255, slightly reduced by clipping.
    EXPECT_NEAR(data.train.statistics.stddev[c], std::sqrt(2.0) * 32 / 255, 0.01);
  }
}

TEST(Synthetic, NearestMeanClassifiesWellAboveChance) {
  for (const std::uint64_t seed : {1, 2}) {
    EXPECT_GT(nearest_mean_accuracy(make_synthetic({.train = 2000, .test = 500}, seed)), 0.6)
        << "chance is 0.1";
  }
}

}  // namespace
}  // namespace terse
