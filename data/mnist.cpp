#include "tersegrad/data/mnist.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/idx.hpp"

namespace terse {
namespace {

namespace fs = std::filesystem;

// The folder into which Debian's package dataset-fashion-mnist installs the files.
constexpr std::string_view kDebianFashionMnist = "/usr/share/datasets/fashion-mnist";

// The constants that are common in publications, so that results can be compared. Pixels are scaled
// to [0, 1]. A test compares those of Fashion-MNIST with the files.
ChannelStatistics mnist_statistics() {
  return {.mean = {0.1307F}, .stddev = {0.3081F}};
}
ChannelStatistics fashion_mnist_statistics() {
  return {.mean = {0.2860F}, .stddev = {0.3530F}};
}

fs::path find_file(const IdxFolder& folder, const std::string& file) {
  auto plain = folder.directory / file;
  auto compressed = folder.directory / (file + ".gz");
  if (fs::exists(plain)) return plain;
  check(fs::exists(compressed), "{}: missing file: '{}' or '{}'", folder.name, plain.string(),
        compressed.string());
  return compressed;
}

// classes = 0: determined from the labels.
ImageDataset read_split(const IdxFolder& folder, const std::string& prefix, std::int64_t classes) {
  const auto image_file = find_file(folder, prefix + "-images-idx3-ubyte");
  const auto label_file = find_file(folder, prefix + "-labels-idx1-ubyte");
  auto images = read_idx(image_file, 3);
  const auto labels = read_idx(label_file, 1);
  check(images.shape[0] == labels.shape[0], "{}: '{}' has {} images; '{}' has {} labels",
        folder.name, image_file.string(), images.shape[0], label_file.string(), labels.shape[0]);

  ImageDataset split;
  split.name = folder.name;
  split.channels = 1;
  split.height = images.shape[1];
  split.width = images.shape[2];
  split.pixels = std::move(images.values);
  split.labels.assign(labels.values.begin(), labels.values.end());
  if (classes == 0 && !split.labels.empty()) {
    classes = std::max<std::int64_t>(2, 1 + *std::ranges::max_element(split.labels));
  }
  split.classes = classes;
  split.statistics = folder.statistics;
  check_labels(folder.name + " '" + label_file.string() + "'", split.labels, split.classes);
  check_dataset(split);
  return split;
}

struct MnistRequest {
  std::string directory;  // empty: not given
  std::int64_t train, test;
  std::int64_t channels;
  std::int64_t classes;
};

MnistRequest read_options(Options& options) {
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  MnistRequest request;
  request.directory = options.text("path", "");
  request.train = options.integer("train", 0, 0, kMost);
  request.test = options.integer("test", 0, 0, kMost);
  request.classes = options.integer("classes", 0, 0, 1000);
  constexpr std::string_view kChannels[] = {"1", "3"};
  request.channels = options.choice("channels", "1", kChannels) == "3" ? 3 : 1;
  if (request.directory.empty()) request.directory = options.positional().value_or("");
  options.finish();
  return request;
}

DatasetSplits load(IdxFolder folder, const MnistRequest& request) {
  folder.classes = request.classes;
  auto splits = read_idx_folder(folder);
  if (request.train > 0) keep_first(splits.train, request.train);
  if (request.test > 0) keep_first(splits.test, request.test);
  repeat_channel(splits.train, request.channels);
  repeat_channel(splits.test, request.channels);
  return splits;
}

}  // namespace

DatasetSplits read_idx_folder(const IdxFolder& folder) {
  check(fs::is_directory(folder.directory), "{}: no such directory: '{}'", folder.name,
        folder.directory.string());
  auto train = read_split(folder, "train", folder.classes);
  auto test = read_split(folder, "t10k", train.classes);
  DatasetSplits splits{.train = std::move(train), .test = std::move(test)};
  check(splits.train.height == splits.test.height && splits.train.width == splits.test.width,
        "{} '{}': training and test images must have the same size; got {}x{} and {}x{}",
        folder.name, folder.directory.string(), splits.train.height, splits.train.width,
        splits.test.height, splits.test.width);
  return splits;
}

DatasetSplits load_mnist(Options& options, std::uint64_t /*seed*/) {
  const auto request = read_options(options);
  check<UsageError>(!request.directory.empty(),
                    "data 'mnist': expected mnist:path=DIR, the folder of train-images-idx3-ubyte, "
                    "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                    "t10k-labels-idx1-ubyte, each with or without .gz");
  return load({.name = "mnist", .directory = request.directory, .statistics = mnist_statistics()},
              request);
}

DatasetSplits load_fashion_mnist(Options& options, std::uint64_t /*seed*/) {
  const auto request = read_options(options);
  const fs::path directory(request.directory.empty() ? kDebianFashionMnist : request.directory);
  check(fs::is_directory(directory),
        "fashion-mnist: no such directory: '{}'; install the files in {} with apt-get install "
        "dataset-fashion-mnist, or name another folder with fashion-mnist:path=DIR",
        directory.string(), kDebianFashionMnist);
  return load(
      {.name = "fashion-mnist", .directory = directory, .statistics = fashion_mnist_statistics()},
      request);
}

}  // namespace terse
