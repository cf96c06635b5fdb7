#include "tersegrad/data/datasets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tests/data/idx_files.hpp"

namespace terse {
namespace {

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";
constexpr const char* kTrainImages = "train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "train-labels-idx1-ubyte";
constexpr const char* kTestImages = "t10k-images-idx3-ubyte";
constexpr const char* kTestLabels = "t10k-labels-idx1-ubyte";

// A small MNIST with 10 training and 4 test images of 3×2 pixels and labels 0, 1, 2, … Two files
// are compressed.
void write_mnist(const TemporaryFolder& folder) {
  folder.write(kTrainImages, idx_bytes({10, 3, 2}, 60));
  folder.write_gz(std::string(kTrainLabels) + ".gz", idx_bytes({10}, 10));
  folder.write_gz(std::string(kTestImages) + ".gz", idx_bytes({4, 3, 2}, 24));
  folder.write(kTestLabels, idx_bytes({4}, 4));
}

std::string load_error(const std::string& spec) {
  return error_of<Error>([&] { load_dataset(spec, 1); });
}
std::string usage_error(const std::string& spec) {
  return error_of<UsageError>([&] { load_dataset(spec, 1); });
}

TEST(Mnist, FolderIsReadPlainAndCompressed) {
  const TemporaryFolder folder;
  write_mnist(folder);
  const auto [train, test, valid] = load_dataset("mnist:path=" + folder.path().string(), 1);
  EXPECT_EQ(train.name, "mnist");
  EXPECT_EQ(train.classes, 10);
  EXPECT_EQ(train.size(), 10);
  EXPECT_EQ(test.size(), 4);
  EXPECT_EQ(train.channels, 1);
  EXPECT_EQ(train.height, 3);
  EXPECT_EQ(train.width, 2);
  EXPECT_EQ(train.labels[7], 7);
  EXPECT_EQ(train.sample(7)[0], 42);
  EXPECT_FLOAT_EQ(train.statistics.mean[0], 0.1307F);
  EXPECT_FLOAT_EQ(test.statistics.stddev[0], 0.3081F);
}

TEST(Mnist, ClassesAreAsManyAsTheLabelsTell) {
  const TemporaryFolder folder;
  write_mnist(folder);
  folder.write(kTrainImages, idx_bytes({12, 3, 2}, 72));
  folder.write_gz(std::string(kTrainLabels) + ".gz", idx_bytes({12}, 12));  // 0 to 11
  const auto [train, test, valid] = load_dataset("mnist:" + folder.path().string(), 1);
  EXPECT_EQ(train.classes, 12);
  EXPECT_EQ(test.classes, 12);
  expect_has(load_error("mnist:" + folder.path().string() + ",classes=11"), {"label", "11"});
}

TEST(Mnist, FolderMayStandWithoutItsKey) {
  const TemporaryFolder folder;
  write_mnist(folder);
  EXPECT_EQ(load_dataset("mnist:" + folder.path().string(), 1).train.size(), 10);
  EXPECT_EQ(load_dataset("mnist:" + folder.path().string() + ",classes=12", 1).train.classes, 12);
  const auto few = load_dataset("mnist:" + folder.path().string() + ",train=5,test=2", 1);
  EXPECT_EQ(few.train.size(), 5);
  EXPECT_EQ(few.train.pixels.size(), 30U);
  EXPECT_EQ(few.test.size(), 2);
}

TEST(Mnist, GreyMayBeRepeatedOverThreeChannels) {
  const TemporaryFolder folder;
  write_mnist(folder);
  const auto grey = load_dataset("mnist:" + folder.path().string(), 1);
  const auto [train, test, valid] =
      load_dataset("mnist:" + folder.path().string() + ",channels=3", 1);
  EXPECT_EQ(train.channels, 3);
  EXPECT_EQ(test.pixels.size(), 3 * grey.test.pixels.size());
  for (std::int64_t n = 0; n < 10; ++n) {
    for (std::size_t i = 0; i < 18; ++i) EXPECT_EQ(train.sample(n)[i], grey.train.sample(n)[i % 6]);
  }
  EXPECT_EQ(train.statistics.mean, (std::vector<float>{0.1307F, 0.1307F, 0.1307F}));
  expect_has(usage_error("mnist:" + folder.path().string() + ",channels=2"), {"1, 3", "'2'"});
}

TEST(Mnist, WithoutAPathTheErrorSaysWhatIsExpected) {
  expect_has(usage_error("mnist"),
             {"mnist:path=DIR", kTrainImages, kTrainLabels, kTestImages, kTestLabels, ".gz"});
}

TEST(Mnist, MissingFolderOrFileIsNamed) {
  expect_has(load_error("mnist:/nowhere"), {"mnist", "no such directory", "'/nowhere'"});
  const TemporaryFolder folder;
  write_mnist(folder);
  std::filesystem::remove(folder.path() / kTestLabels);
  expect_has(load_error("mnist:" + folder.path().string()),
             {"missing file", (folder.path() / kTestLabels).string(), ".gz"});
}

TEST(Mnist, CountsOfImagesAndLabelsMustAgree) {
  const TemporaryFolder folder;
  write_mnist(folder);
  folder.write(kTestLabels, idx_bytes({3}, 3));
  expect_has(load_error("mnist:" + folder.path().string()),
             {kTestImages, "has 4 images", kTestLabels, "has 3 labels"});
}

TEST(Mnist, LabelOutOfRangeIsNamed) {
  const TemporaryFolder folder;
  write_mnist(folder);
  auto labels = idx_bytes({4}, 4);
  labels[8 + 2] = 12;
  folder.write(kTestLabels, labels);
  expect_has(load_error("mnist:" + folder.path().string()),
             {kTestLabels, "sample 2", "from 0 to 9", "got 12"});
}

TEST(Mnist, ImagesAndLabelsInterchangedAreAnError) {
  const TemporaryFolder folder;
  write_mnist(folder);
  folder.write(kTestLabels, idx_bytes({4, 3, 2}, 24));
  expect_has(load_error("mnist:" + folder.path().string()),
             {kTestLabels, "expected 1 dimension; got 3"});
}

TEST(Mnist, TrainingAndTestImagesMustBeOfOneSize) {
  const TemporaryFolder folder;
  write_mnist(folder);
  folder.write_gz(std::string(kTestImages) + ".gz", idx_bytes({4, 2, 3}, 24));
  expect_has(load_error("mnist:" + folder.path().string()), {"the same size", "3x2 and 2x3"});
}

TEST(FashionMnist, MissingFolderSaysHowToGetIt) {
  expect_has(load_error("fashion-mnist:path=/nowhere"),
             {"'/nowhere'", "apt-get install dataset-fashion-mnist", kFashionMnist});
}

TEST(FashionMnist, RealFilesHaveTheirKnownFigures) {
  if (!std::filesystem::exists(kFashionMnist)) GTEST_SKIP() << "no dataset-fashion-mnist here";
  const auto [train, test, valid] = load_dataset("fashion-mnist", 1);
  EXPECT_EQ(train.size(), 60000);
  EXPECT_EQ(test.size(), 10000);
  EXPECT_EQ(train.height, 28);
  EXPECT_EQ(train.width, 28);
  for (std::int32_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(train.labels.begin(), train.labels.end(), label), 6000);
    EXPECT_EQ(std::count(test.labels.begin(), test.labels.end(), label), 1000);
  }
  EXPECT_EQ(train.labels[0], 9);  // an ankle boot
  const auto computed = channel_statistics(train);
  EXPECT_NEAR(computed.mean[0], train.statistics.mean[0], 5e-5);
  EXPECT_NEAR(computed.stddev[0], train.statistics.stddev[0], 5e-5);
}

TEST(Datasets, UnknownNameListsTheNearest) {
  expect_has(usage_error("fasion-mnist"),
             {"data 'fasion-mnist' is not known", "did you mean fashion-mnist?", "synthetic"});
}

TEST(Datasets, UnknownOptionListsTheKnownOnes) {
  expect_has(usage_error("synthetic:clases=3"), {"did you mean classes?", "noise"});
  expect_has(usage_error("synthetic:classes=1"), {"classes", "from 2 to 1000", "'1'"});
  expect_has(usage_error("fashion-mnist:rate=3"), {"option 'rate'", "path"});
  expect_has(usage_error("fashion-mnist:path=a,b"), {"option 'b'"});
  expect_has(usage_error("synthetic+ef"), {"one stage"});
}

TEST(Datasets, EveryEntryOfTheTableHasAHelpLineAndALoader) {
  for (const auto& entry : dataset_table()) {
    EXPECT_FALSE(entry.help.empty()) << entry.name;
    EXPECT_NE(entry.load, nullptr) << entry.name;
  }
}

// ---- valid=N ------------------------------------------------------------------------------------

// Images of one pixel, whose value is their number.
ImageDataset numbered(std::vector<std::int32_t> labels, std::int64_t classes) {
  ImageDataset images{.name = "numbered",
                      .classes = classes,
                      .channels = 1,
                      .height = 1,
                      .width = 1,
                      .pixels = {},
                      .labels = std::move(labels),
                      .statistics = {.mean = {0.25F}, .stddev = {0.5F}}};
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    images.pixels.push_back(static_cast<std::uint8_t>(i));
  }
  return images;
}

std::string hold_out_error(std::vector<std::int32_t> labels, std::int64_t classes,
                           std::int64_t count) {
  auto images = numbered(std::move(labels), classes);
  return error_of<UsageError>([&] { hold_out(images, count); });
}

TEST(Validation, TheLastImagesOfEachClassLeaveTheTrainingSplit) {
  auto images = numbered({0, 1, 1, 0, 0, 0, 1}, 2);
  const auto held = hold_out(images, 4);
  EXPECT_EQ(held.pixels, (std::vector<std::uint8_t>{2, 4, 5, 6}));
  EXPECT_EQ(held.labels, (std::vector<std::int32_t>{1, 0, 0, 1}));
  EXPECT_EQ(images.pixels, (std::vector<std::uint8_t>{0, 1, 3}));
  EXPECT_EQ(images.labels, (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_EQ(held.name, "numbered");
  EXPECT_EQ(held.statistics.mean, images.statistics.mean);
  EXPECT_EQ(held.statistics.stddev, images.statistics.stddev);
  check_dataset(held);
  check_dataset(images);
}

TEST(Validation, ItsSizeIsAMultipleOfTheClassesAndLeavesTrainingImages) {
  const std::vector<std::int32_t> labels = {0, 1, 2, 0, 1, 2, 0, 1};
  expect_has(hold_out_error(labels, 3, 4), {"'numbered'", "a multiple of 3", "3 classes", "got 4"});
  expect_has(hold_out_error(labels, 3, 2), {"a multiple of 3", "got 2"});
  expect_has(hold_out_error(labels, 3, 0), {"a multiple of 3", "got 0"});
  expect_has(hold_out_error(labels, 3, 6), {"valid=6", "class 2 has 2 training images"});
  expect_has(hold_out_error(labels, 4, 4), {"class 3 has 0 training images"});
  auto images = numbered(labels, 3);
  EXPECT_EQ(hold_out(images, 3).labels, (std::vector<std::int32_t>{2, 0, 1}));
}

TEST(Validation, IsAnOptionOfEveryImageDataSetAndDoesNotDependOnTheSeed) {
  const TemporaryFolder folder;
  write_mnist(folder);
  folder.write(kTrainImages, idx_bytes({40, 3, 2}, 240));
  auto labels = idx_bytes({40}, 40);
  for (std::size_t i = 8; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i * i % 4);
  folder.write_gz(std::string(kTrainLabels) + ".gz", labels);
  auto test_labels = idx_bytes({4}, 4);
  test_labels[10] = 0;
  test_labels[11] = 1;
  folder.write(kTestLabels, test_labels);
  // The labels are 0 and 1 in turn.
  const auto spec = "mnist:path=" + folder.path().string() + ",classes=4,crop=1";
  expect_has(usage_error(spec + ",valid=4"), {"class 2 has 0 training images"});
  const auto whole = load_dataset("mnist:path=" + folder.path().string(), 1);
  EXPECT_FALSE(whole.valid.has_value());
  std::vector<std::vector<std::uint8_t>> pixels;
  for (const std::uint64_t seed : {1, 2}) {
    const auto [train, test, valid] = load_dataset(
        "mnist:path=" + folder.path().string() + ",crop=1,flip,train=30,valid=8", seed);
    ASSERT_TRUE(valid.has_value());
    EXPECT_EQ(valid->size(), 8);
    EXPECT_EQ(train.size(), 22);
    EXPECT_EQ(std::ranges::count(valid->labels, 0), 4);
    EXPECT_EQ(std::ranges::count(valid->labels, 1), 4);
    EXPECT_TRUE(train.augmentation.any());
    EXPECT_FALSE(valid->augmentation.any());
    EXPECT_EQ(test.pixels, whole.test.pixels);
    // Together they are the first 30 images.
    auto all = train.pixels;
    all.insert(all.end(), valid->pixels.begin(), valid->pixels.end());
    const auto first = std::vector(whole.train.pixels.begin(), whole.train.pixels.begin() + 180);
    EXPECT_TRUE(std::ranges::is_permutation(all, first));
    EXPECT_EQ(valid->pixels, std::vector(first.begin() + 132, first.end()));
    pixels.push_back(valid->pixels);
  }
  EXPECT_EQ(pixels[0], pixels[1]);

  const auto full = load_dataset("synthetic:size=8,train=60,test=20,classes=5", 3);
  const auto split = load_dataset("synthetic:size=8,train=60,test=20,classes=5,valid=20", 3);
  EXPECT_EQ(split.train.size(), 40);
  EXPECT_EQ(split.valid->pixels,
            std::vector(full.train.pixels.begin() + 40 * 64, full.train.pixels.end()));
  EXPECT_EQ(split.train.statistics.mean, full.train.statistics.mean);
}

TEST(Validation, WrongSizesAreUsageErrors) {
  expect_has(usage_error("synthetic:valid=0"), {"valid must be a whole number from 1", "'0'"});
  expect_has(usage_error("synthetic:valid=some"), {"valid must be a whole number", "'some'"});
  expect_has(usage_error("synthetic:valid=-10"), {"valid must be", "'-10'"});
  expect_has(usage_error("synthetic:train=100,valid=5"), {"a multiple of 10", "got 5"});
  expect_has(usage_error("synthetic:train=100,valid=100"), {"class 0 has 10 training images"});
  expect_has(usage_error("synthetic:train=100,valid=1000"), {"class 0 has 10 training images"});
  expect_has(dataset_help(), {"any images  [valid=N,"});
}

TEST(Validation, FashionMnistHasFiveHundredImagesOfEachClass) {
  if (!std::filesystem::exists(kFashionMnist)) GTEST_SKIP() << "no dataset-fashion-mnist here";
  const auto [train, test, valid] = load_dataset("fashion-mnist:valid=5000", 1);
  EXPECT_EQ(train.size(), 55000);
  EXPECT_EQ(test.size(), 10000);
  for (std::int32_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::ranges::count(valid->labels, label), 500) << label;
    EXPECT_EQ(std::ranges::count(train.labels, label), 5500) << label;
  }
}

}  // namespace
}  // namespace terse
