#include "tersegrad/data/loader.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <stdexcept>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/synthetic.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

ImageDataset small_images(std::int64_t samples = 50) {
  return make_synthetic({.size = 8, .channels = 2, .train = samples, .test = 1}, 1).train;
}

std::unique_ptr<Partition> iid(const ImageDataset& images, const WorkerShare& share) {
  return make_partition("iid", images.labels, share, 5);
}

// The order is 0, 1, 2, … One epoch fails.
class FailingPartition final : public Partition {
 public:
  FailingPartition(std::int64_t steps, std::int64_t bad_epoch)
      : Partition(2, steps), bad_epoch_(bad_epoch) {}
  void order(std::int64_t epoch, std::vector<std::int32_t>& out) const override {
    check(epoch != bad_epoch_, "no epoch {}", epoch);
    out.clear();
    for (int i = 0; i < 2 * steps_per_epoch(); ++i) out.push_back(i);
  }

 private:
  std::int64_t bad_epoch_;
};

TEST(BatchMaker, PixelsAreNormalisedPerChannel) {
  ImageDataset images{.name = "two",
                      .classes = 2,
                      .channels = 2,
                      .height = 1,
                      .width = 2,
                      .pixels = {0, 255, 51, 102, 1, 2, 3, 4},
                      .labels = {1, 0},
                      .statistics = {.mean = {0.5F, 0.2F}, .stddev = {0.25F, 0.1F}}};
  Batch batch;
  BatchMaker(images).make(std::vector<std::int32_t>{1, 0}, batch);
  EXPECT_EQ(batch.labels, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(batch.channels, 2);
  EXPECT_EQ(batch.width, 2);
  ASSERT_EQ(batch.images.size(), 8U);
  const float wanted[] = {-2, 2, 0, 2};  // of sample 0, the second one in the batch
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(batch.images[4 + i], wanted[i], 1e-6);
  EXPECT_NEAR(batch.images[3], (4.0 / 255 - 0.2) / 0.1, 1e-6);
}

TEST(BatchMaker, InconsistentDataSetIsAnError) {
  auto images = small_images(4);
  images.labels[2] = 10;
  expect_has(error_of<Error>([&] { BatchMaker{images}; }), {"sample 2", "from 0 to 9", "got 10"});
  images = small_images(4);
  images.pixels.pop_back();
  expect_has(error_of<Error>([&] { BatchMaker{images}; }), {"4x2x8x8", "got 511 bytes"});
  images = small_images(4);
  images.statistics.stddev[1] = 0;
  expect_has(error_of<Error>([&] { BatchMaker{images}; }), {"stddev of channel 1", "positive"});
  images = small_images(4);
  Batch batch;
  const std::vector<std::int32_t> samples{4};
  expect_has(error_of<Error>([&] { BatchMaker(images).make(samples, batch); }),
             {"from 0 to 3", "got 4"});
}

TEST(Loader, BatchesComeInTheOrderOfThePartition) {
  const auto images = small_images();
  const auto partition = iid(images, {1, 2, 6});
  Loader loader(images, iid(images, {1, 2, 6}));
  ASSERT_EQ(loader.steps_per_epoch(), 4);
  for (std::int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(loader.step(), i);
    const auto& batch = loader.next();
    EXPECT_EQ(batch.epoch, i / 4);
    EXPECT_EQ(batch.step, i % 4);
    EXPECT_EQ(batch.size(), 6);
    Batch wanted;
    BatchMaker(images).make(partition->samples(i / 4, i % 4), wanted);
    EXPECT_EQ(batch.images, wanted.images);
    EXPECT_EQ(batch.labels, wanted.labels);
  }
}

TEST(Loader, PrefetchChangesNoBatch) {
  const auto images = small_images();
  Loader none(images, iid(images, {0, 2, 6}), {.prefetch = 0});
  Loader one(images, iid(images, {0, 2, 6}), {.prefetch = 1});
  Loader four(images, iid(images, {0, 2, 6}), {.prefetch = 4});
  for (int i = 0; i < 40; ++i) {
    const auto& wanted = none.next();
    for (auto* loader : {&one, &four}) {
      const auto& batch = loader->next();
      ASSERT_EQ(batch.images, wanted.images);
      ASSERT_EQ(batch.labels, wanted.labels);
      ASSERT_EQ(batch.epoch, wanted.epoch);
      ASSERT_EQ(batch.step, wanted.step);
    }
  }
}

TEST(Loader, BatchStaysAsItIsUntilTheNextCall) {
  const auto images = small_images();
  for (const std::int64_t prefetch : {1, 4}) {
    Loader loader(images, iid(images, {0, 1, 10}), {.prefetch = prefetch});
    for (int i = 0; i < 20; ++i) {
      const auto& batch = loader.next();
      const auto copy = batch.images;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the thread fills free batches
      ASSERT_EQ(batch.images, copy);
    }
  }
}

TEST(Loader, RunGoesOnWhereAnotherStopped) {
  const auto images = small_images();
  Loader whole(images, iid(images, {0, 1, 10}));
  for (int i = 0; i < 7; ++i) whole.next();
  Loader resumed(images, iid(images, {0, 1, 10}), {.first_step = whole.step()});
  for (int i = 0; i < 8; ++i) {
    const auto &a = whole.next(), &b = resumed.next();
    ASSERT_EQ(a.images, b.images);
    ASSERT_EQ(a.epoch, b.epoch);
    ASSERT_EQ(a.step, b.step);
  }
  EXPECT_EQ(resumed.step(), 15);
}

TEST(Loader, BuffersAreUsedAgain) {
  const auto images = small_images();
  for (const std::int64_t prefetch : {0, 3}) {
    Loader loader(images, iid(images, {0, 1, 10}), {.prefetch = prefetch});
    std::set<const float*> buffers;
    for (int i = 0; i < 50; ++i) buffers.insert(loader.next().images.data());
    EXPECT_EQ(std::ssize(buffers), prefetch + 1);
  }
}

TEST(Loader, FailureIsThrownAfterTheGoodBatches) {
  const auto images = small_images();
  for (const std::int64_t prefetch : {0, 1, 4}) {
    Loader loader(images, std::make_unique<FailingPartition>(3, 1), {.prefetch = prefetch});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(loader.next().labels[0], 2 * i);
    for (int i = 0; i < 2; ++i) {
      expect_has(error_of<Error>([&] { loader.next(); }), {"no epoch 1"});
    }
  }
}

TEST(Loader, ConsumerThatThrowsLeavesNothingHanging) {
  const auto images = small_images();
  for (int i = 0; i < 50; ++i) {
    try {
      Loader loader(images, iid(images, {0, 1, 10}), {.prefetch = 2});
      for (int j = 0; j < i % 4; ++j) loader.next();
      throw std::runtime_error("the consumer's");
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "the consumer's");
    }
  }
}

TEST(Loader, FailedLoaderIsDestroyedWithoutBeingAsked) {
  const auto images = small_images();
  for (int i = 0; i < 50; ++i) {
    Loader loader(images, std::make_unique<FailingPartition>(3, 0), {.prefetch = 2});
  }
}

TEST(Loader, FourLoadersRunAtOnce) {
  const auto images = small_images(200);
  std::vector<std::thread> workers;
  std::vector<std::int64_t> sums(4);
  for (std::int64_t w = 0; w < 4; ++w) {
    workers.emplace_back([&images, &sums, w] {
      Loader loader(images, iid(images, {w, 4, 5}));
      for (int i = 0; i < 30; ++i) {
        for (const auto label : loader.next().labels) sums[w] += label;
      }
    });
  }
  for (auto& worker : workers) worker.join();
  // Three epochs of all samples, with the labels 0 … 9 in equal numbers.
  EXPECT_EQ(sums[0] + sums[1] + sums[2] + sums[3], 3 * 200 / 10 * 45);
}

TEST(Loader, WrongOptionsAreErrors) {
  const auto images = small_images();
  EXPECT_THROW(Loader(images, nullptr), Error);
  EXPECT_THROW(Loader(images, iid(images, {0, 1, 10}), {.prefetch = -1}), Error);
  EXPECT_THROW(Loader(images, iid(images, {0, 1, 10}), {.first_step = -1}), Error);
}

TEST(EvaluationLoader, WorkersShareTheDataSetInOrder) {
  const auto images = small_images(47);
  Batch whole;
  std::vector<std::int32_t> all;
  for (int i = 0; i < 47; ++i) all.push_back(i);
  BatchMaker(images).make(all, whole);

  std::vector<float> seen;
  std::vector<std::int32_t> labels;
  for (std::int64_t w = 0; w < 3; ++w) {
    EvaluationLoader loader(images, {w, 3, 4});
    EXPECT_EQ(loader.samples(), w == 0 ? 15 : 16);
    EXPECT_EQ(loader.batches(), 4);
    std::int64_t batches = 0;
    while (const auto* batch = loader.next()) {
      EXPECT_EQ(batch->size(), w == 0 && batches == 3 ? 3 : 4);
      EXPECT_EQ(batch->step, batches++);
      seen.insert(seen.end(), batch->images.begin(), batch->images.end());
      labels.insert(labels.end(), batch->labels.begin(), batch->labels.end());
    }
    EXPECT_EQ(batches, 4);
    EXPECT_EQ(loader.next(), nullptr);
  }
  EXPECT_EQ(seen, whole.images);
  EXPECT_EQ(labels, whole.labels);
}

TEST(EvaluationLoader, RewindStartsAgain) {
  const auto images = small_images(9);
  EvaluationLoader loader(images, {0, 1, 5});
  const auto first = loader.next()->labels;
  while (loader.next() != nullptr) {
  }
  loader.rewind();
  EXPECT_EQ(loader.next()->labels, first);
}

TEST(EvaluationLoader, MoreWorkersThanSamplesLeavesSomeWithNone) {
  const auto images = small_images(2);
  std::int64_t samples = 0;
  for (std::int64_t w = 0; w < 5; ++w) {
    EvaluationLoader loader(images, {w, 5, 4});
    samples += loader.samples();
    EXPECT_EQ(loader.next() == nullptr, loader.samples() == 0);
  }
  EXPECT_EQ(samples, 2);
}

}  // namespace
}  // namespace terse
