#include "tersegrad/data/augmentation.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/data/loader.hpp"
#include "tersegrad/data/synthetic.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using Samples = std::vector<std::int32_t>;

// Images whose pixel (c, y, x) has the value c H W + y W + x + 1: every value is unique and none is
// 0.
ImageDataset places() {
  ImageDataset images{.name = "places",
                      .classes = 1,
                      .channels = 2,
                      .height = 5,
                      .width = 6,
                      .pixels = {},
                      .labels = {0},
                      .statistics = {.mean = {0.25F, 0.5F}, .stddev = {0.5F, 0.25F}}};
  for (int i = 0; i < 60; ++i) images.pixels.push_back(static_cast<std::uint8_t>(i + 1));
  return images;
}

ImageDataset drawn(const Augmentation& augmentation) {
  auto images = make_synthetic({.size = 8, .train = 60, .test = 1}, 1).train;
  images.augmentation = augmentation;
  return images;
}

TEST(Augmentation, ViewIsACropOfThePaddedImageThenAFlip) {
  auto images = places();
  images.augmentation = {.crop = 3, .flip = true, .seed = 9};
  const BatchMaker maker(images);
  const auto height = images.height, width = images.width;
  std::set<bool> flips;
  for (std::int64_t epoch = 0; epoch < 60; ++epoch) {
    const auto view = draw_view(images.augmentation, epoch, 0);
    flips.insert(view.mirrored);
    Batch batch;
    maker.make(Samples{0}, epoch, batch);
    for (std::int64_t c = 0; c < 2; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          const auto row = y + view.dy;
          const auto column = (view.mirrored ? width - 1 - x : x) + view.dx;
          const bool inside = row >= 0 && row < height && column >= 0 && column < width;
          const auto value = inside ? images.pixels[(c * height + row) * width + column] : 0;
          const auto wanted = (static_cast<float>(value) / 255 - images.statistics.mean[c]) /
                              images.statistics.stddev[c];
          ASSERT_FLOAT_EQ(batch.images[(c * height + y) * width + x], wanted);
        }
      }
    }
  }
  EXPECT_EQ(flips.size(), 2U);
}

TEST(Augmentation, EveryViewIsEquallyLikely) {
  // 3 × 3 places × 2 flips over 18000 draws: 1000 each, standard error 30.7.
  const Augmentation augmentation{.crop = 1, .flip = true, .seed = 3};
  std::map<std::tuple<std::int64_t, std::int64_t, bool>, int> counts;
  for (std::int64_t epoch = 0; epoch < 180; ++epoch) {
    for (std::int64_t sample = 0; sample < 100; ++sample) {
      const auto view = draw_view(augmentation, epoch, sample);
      ++counts[{view.dy, view.dx, view.mirrored}];
    }
  }
  EXPECT_EQ(counts.size(), 18U);
  for (const auto& [view, count] : counts) EXPECT_NEAR(count, 1000, 4.5 * 30.7);
}

TEST(Augmentation, CropAndFlipStandAlone) {
  for (std::int64_t sample = 0; sample < 50; ++sample) {
    EXPECT_FALSE(draw_view({.crop = 2, .seed = 1}, 0, sample).mirrored);
    EXPECT_EQ(draw_view({.flip = true, .seed = 1}, 0, sample).dy, 0);
    EXPECT_EQ(draw_view({.flip = true, .seed = 1}, 0, sample).dx, 0);
  }
}

TEST(Augmentation, SeedEpochAndSampleAllMatter) {
  const auto views = [](std::uint64_t seed, std::int64_t epoch, std::int64_t first) {
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < 20; ++i) {
      all.push_back(draw_view({.crop = 9, .seed = seed}, epoch, first + i).dy);
    }
    return all;
  };
  EXPECT_EQ(views(1, 2, 0), views(1, 2, 0));
  EXPECT_NE(views(1, 2, 0), views(2, 2, 0));
  EXPECT_NE(views(1, 2, 0), views(1, 3, 0));
  EXPECT_NE(views(1, 2, 0), views(1, 2, 20));
}

TEST(Augmentation, SampleLooksTheSameWithAnyWorker) {
  const auto images = drawn({.crop = 2, .flip = true, .seed = 4});
  const auto share = [&](std::int64_t worker, std::int64_t workers, std::int64_t batch) {
    return make_partition("iid", images.labels, {worker, workers, batch}, 5);
  };
  const auto each = static_cast<std::size_t>(images.sample_size());
  const auto alone = share(0, 1, 12);
  Loader whole(images, share(0, 1, 12));
  Loader first(images, share(0, 2, 6)), second(images, share(1, 2, 6), {.prefetch = 0});
  for (int step = 0; step < 12; ++step) {
    const auto& all = whole.next();
    const Batch* parts[] = {&first.next(), &second.next()};
    for (std::size_t i = 0; i < 12; ++i) {  // worker w has every second sample
      const auto& part = *parts[i % 2];
      ASSERT_TRUE(std::equal(all.images.begin() + i * each, all.images.begin() + (i + 1) * each,
                             part.images.begin() + i / 2 * each));
    }
  }
}

TEST(Augmentation, PrefetchAndResumingChangeNoBatch) {
  const auto images = drawn({.crop = 2, .flip = true, .seed = 4});
  const auto partition = [&] { return make_partition("iid", images.labels, {0, 1, 20}, 5); };
  Loader none(images, partition(), {.prefetch = 0});
  Loader four(images, partition(), {.prefetch = 4});
  std::vector<float> last;
  for (int i = 0; i < 12; ++i) {
    last = none.next().images;
    ASSERT_EQ(four.next().images, last);
  }
  Loader resumed(images, partition(), {.first_step = 11});
  EXPECT_EQ(resumed.next().images, last);
}

TEST(Augmentation, EpochsDifferAndEvaluationSeesImagesAsTheyAre) {
  const auto plain = drawn({}), moved = drawn({.crop = 2, .seed = 4});
  Batch first, second, as_they_are;
  const Samples samples{3, 1, 4};
  BatchMaker(moved).make(samples, 0, first);
  BatchMaker(moved).make(samples, 1, second);
  BatchMaker(plain).make(samples, 1, as_they_are);
  EXPECT_NE(first.images, second.images);
  EXPECT_NE(first.images, as_they_are.images);
  EXPECT_EQ(first.labels, as_they_are.labels);
  EvaluationLoader a(plain, {.batch = 60}), b(moved, {.batch = 60});
  EXPECT_EQ(a.next()->images, b.next()->images);
}

TEST(Augmentation, IsAnOptionOfEveryImageDataSetForTrainingAlone) {
  const auto data = load_dataset("synthetic:size=8,train=20,test=5,crop=3,flip", 7);
  EXPECT_EQ(data.train.augmentation.crop, 3);
  EXPECT_TRUE(data.train.augmentation.flip);
  EXPECT_EQ(data.train.augmentation.seed, 7U);
  EXPECT_FALSE(data.test.augmentation.any());
  EXPECT_FALSE(load_dataset("synthetic:train=20,test=5", 7).train.augmentation.any());
}

TEST(Augmentation, WrongCropIsAnError) {
  const auto error = [](const std::string& options) {
    return error_of<UsageError>([&] { load_dataset("synthetic:size=8,train=5" + options, 1); });
  };
  expect_has(error(",crop=8"), {"crop must be below", "got 8 and 8x8"});
  expect_has(error(",crop=-1"), {"crop", "from 0", "'-1'"});
  expect_has(error(",flip=maybe"), {"flip", "true or false", "'maybe'"});
  auto images = places();
  images.augmentation.crop = 5;
  expect_has(error_of<Error>([&] { BatchMaker{images}; }), {"'places'", "crop", "5 and 5x6"});
}

}  // namespace
}  // namespace terse
