#include "tersegrad/data/cifar.hpp"

#include <filesystem>
#include <limits>
#include <span>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/gz_reader.hpp"

namespace terse {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 32, kChannels = 3, kClasses = 10;
constexpr std::int64_t kPixels = kChannels * kSide * kSide;
constexpr std::int64_t kRecord = 1 + kPixels;

ImageDataset empty_split() {
  ImageDataset split;
  split.name = "cifar10";
  split.classes = kClasses;
  split.channels = kChannels;
  split.height = split.width = kSide;
  // Statistics of the 50000 training images.
  split.statistics = {.mean = {0.4914F, 0.4822F, 0.4465F}, .stddev = {0.2470F, 0.2435F, 0.2616F}};
  return split;
}

// Appends the samples of a file to `split` and returns their number.
std::int64_t read_records(const fs::path& folder, const std::string& name, ImageDataset& split) {
  auto file = folder / name;
  if (!fs::exists(file)) {
    check(fs::exists(file.string() + ".gz"), "cifar10: missing file: '{0}' or '{0}.gz'",
          file.string());
    file += ".gz";
  }
  const auto bytes = GzReader("cifar10", file).read_rest();
  const std::int64_t size = std::ssize(bytes), count = size / kRecord;
  check(size > 0 && size % kRecord == 0,
        "cifar10 '{}': truncated or in another format: expected whole records of {} bytes; got {} "
        "records and {} bytes",
        file.string(), kRecord, count, size % kRecord);
  const auto first = split.labels.size();
  for (std::int64_t n = 0; n < count; ++n) {
    const auto* record = reinterpret_cast<const std::uint8_t*>(bytes.data()) + n * kRecord;
    split.labels.push_back(record[0]);
    split.pixels.insert(split.pixels.end(), record + 1, record + kRecord);
  }
  check_labels("cifar10 '" + file.string() + "'", std::span(split.labels).subspan(first), kClasses);
  return count;
}

// The folder that contains the files: `folder` itself, or the folder of the unpacked archive in it.
fs::path find_folder(const fs::path& folder) {
  check(fs::is_directory(folder), "cifar10: no such directory: '{}'", folder.string());
  const auto inner = folder / "cifar-10-batches-bin";
  return fs::is_directory(inner) ? inner : folder;
}

}  // namespace

DatasetSplits load_cifar10(Options& options, std::uint64_t /*seed*/) {
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  std::string path = options.text("path", "");
  const auto train = options.integer("train", 0, 0, kMost);
  const auto test = options.integer("test", 0, 0, kMost);
  if (path.empty()) path = options.positional().value_or("");
  options.finish();
  check<UsageError>(!path.empty(),
                    "data 'cifar10': expected cifar10:path=DIR, the folder of the binary version: "
                    "data_batch_1.bin to data_batch_5.bin and test_batch.bin, each with or "
                    "without .gz");

  const auto folder = find_folder(path);
  DatasetSplits splits{.train = empty_split(), .test = empty_split()};
  const auto first = read_records(folder, "data_batch_1.bin", splits.train);
  for (int i = 2; i <= 5; ++i) {
    const auto name = fmt::format("data_batch_{}.bin", i);
    const auto count = read_records(folder, name, splits.train);
    check(count == first,
          "cifar10 '{}': all training files must have as many records as the first; got {} and {}",
          (folder / name).string(), count, first);
  }
  read_records(folder, "test_batch.bin", splits.test);
  if (train > 0) keep_first(splits.train, train);
  if (test > 0) keep_first(splits.test, test);
  check_dataset(splits.train);
  check_dataset(splits.test);
  return splits;
}

}  // namespace terse
