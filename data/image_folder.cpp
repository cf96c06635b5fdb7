#include "tersegrad/data/image_folder.hpp"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/data/image_file.hpp"

namespace terse {
namespace {

namespace fs = std::filesystem;

// The `tensor` field of the stream of Purpose::shuffle; partition.cpp uses 0 and 1.
constexpr std::uint32_t kHeldOut = 2;

struct Request {
  fs::path folder;
  std::int64_t size, channels;
  double test;
};

struct ClassFolder {
  std::string name;
  std::vector<fs::path> files;  // sorted
};

struct Sample {
  fs::path file;
  std::int32_t label;
};

[[noreturn]] void throw_unreadable(const fs::path& folder, int reason) {
  throw Error(fmt::format("images '{}': cannot be read: {}", folder.string(),
                          std::generic_category().message(reason)));
}

// The entries of a folder, sorted, without names that start with a dot. Uses opendir, because
// libstdc++'s directory_iterator terminates the program when it runs out of memory.
std::vector<fs::path> entries(const fs::path& folder) {
  const std::unique_ptr<DIR, decltype([](DIR* open) { closedir(open); })> open(
      opendir(folder.c_str()));
  if (open == nullptr) throw_unreadable(folder, errno);
  std::vector<fs::path> all;
  errno = 0;
  while (const dirent* entry = readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name.front() != '.') all.push_back(folder / name);
    errno = 0;
  }
  if (errno != 0) throw_unreadable(folder, errno);
  std::sort(all.begin(), all.end());
  return all;
}

bool is_picture(const fs::path& file) {
  constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".png", ".bmp", ".gif"};
  std::string extension = file.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kExtensions, extension) != std::end(kExtensions);
}

// The classes, and the files in class folders that have no image extension.
struct Found {
  std::vector<ClassFolder> classes;
  std::vector<fs::path> skipped;
};

Found find_classes(const fs::path& folder) {
  Found found;
  for (const auto& path : entries(folder)) {
    if (!fs::is_directory(path)) continue;
    ClassFolder& all = found.classes.emplace_back();
    all.name = path.filename().string();
    for (auto& file : entries(path)) {
      auto& to = is_picture(file) ? all.files : found.skipped;
      to.push_back(std::move(file));
    }
    check(!all.files.empty(), "images '{}': expected a picture in each class folder; got none",
          path.string());
  }
  check(!found.classes.empty(), "images '{}': expected a folder for each class; got none",
        folder.string());
  return found;
}

std::string names_of(const std::vector<ClassFolder>& classes) {
  std::vector<std::string> names;
  for (const auto& each : classes) names.push_back(each.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

ImageDataset read_samples(const std::vector<Sample>& samples, std::size_t classes,
                          const Request& request) {
  ImageDataset split;
  split.name = "images";
  split.classes = static_cast<std::int64_t>(classes);
  split.channels = request.channels;
  split.height = split.width = request.size;
  const std::int64_t count = std::ssize(samples), each = split.sample_size();
  split.pixels.resize(static_cast<std::size_t>(count * each));
  for (const auto& sample : samples) split.labels.push_back(sample.label);
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto pixels =
          read_image(samples[static_cast<std::size_t>(i)].file, request.channels, request.size);
      std::copy(pixels.begin(), pixels.end(), split.pixels.begin() + i * each);
    }
  });
  return split;
}

struct SplitSamples {
  std::vector<Sample> train, test;
};

std::vector<Sample> all_samples(const std::vector<ClassFolder>& classes) {
  std::vector<Sample> samples;
  for (std::size_t k = 0; k < classes.size(); ++k) {
    for (const auto& file : classes[k].files) {
      samples.push_back({.file = file, .label = static_cast<std::int32_t>(k)});
    }
  }
  return samples;
}

// Holds out round(share · n) of the n pictures of each class for the test split, at least one and
// not all, evenly spaced from a start that is drawn for the class. A class with one picture is used
// for training.
SplitSamples hold_out(const std::vector<ClassFolder>& classes, double share, std::uint64_t seed,
                      std::vector<std::string>& notes) {
  SplitSamples samples;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const auto& [name, files] = classes[label];
    const std::int64_t n = std::ssize(files);
    if (n == 1)
      notes.push_back(fmt::format("class '{}' has one picture, which is used for training", name));
    const std::int64_t held =
        n == 1 ? 0
               : std::clamp<std::int64_t>(std::llround(share * static_cast<double>(n)), 1, n - 1);
    const auto first =
        static_cast<std::int64_t>(Philox(seed, {.purpose = Purpose::shuffle,
                                                .step = static_cast<std::uint32_t>(label),
                                                .tensor = kHeldOut})
                                      .below(static_cast<std::uint64_t>(n)));
    for (std::int64_t i = 0; i < n; ++i) {
      // Picture i is held out if (i · held + first) / n increases, rounded down, from i to i + 1.
      const bool test = ((i + 1) * held + first) / n > (i * held + first) / n;
      auto& split = test ? samples.test : samples.train;
      split.push_back(
          {.file = files[static_cast<std::size_t>(i)], .label = static_cast<std::int32_t>(label)});
    }
  }
  check(!samples.test.empty(),
        "images: expected a class of at least two pictures, to hold one out for testing; got {} "
        "classes of one picture",
        classes.size());
  return samples;
}

Request read_request(Options& options) {
  constexpr std::string_view kChannels[] = {"1", "3"};
  Request request;
  request.folder = options.text("path", "");
  request.size = options.integer("size", 32, 4, 4096);
  request.channels = options.choice("channels", "3", kChannels) == "3" ? 3 : 1;
  request.test = options.number("test", 0.1, 0.001, 0.5);
  if (request.folder.empty()) request.folder = options.positional().value_or("");
  options.finish();
  check<UsageError>(!request.folder.empty(),
                    "data 'images': expected images:path=DIR; DIR holds a folder of pictures for "
                    "each class, or the folders train and test (or val), which hold those");
  check(fs::is_directory(request.folder), "images: no such directory: '{}'",
        request.folder.string());
  return request;
}

}  // namespace

DatasetSplits load_image_folder(Options& options, std::uint64_t seed) {
  const auto request = read_request(options);
  const auto train = request.folder / "train";
  const auto test = request.folder / (fs::is_directory(request.folder / "test") ? "test" : "val");
  const bool given = fs::is_directory(train) && fs::is_directory(test);
  auto [classes, skipped] = find_classes(given ? train : request.folder);
  std::vector<std::string> notes;
  SplitSamples samples;
  if (given) {
    auto [others, more] = find_classes(test);
    skipped.insert(skipped.end(), more.begin(), more.end());
    check(names_of(classes) == names_of(others),
          "images '{}': train and {} must have the same classes; got {} and {}",
          request.folder.string(), test.filename().string(), names_of(classes), names_of(others));
    samples = {.train = all_samples(classes), .test = all_samples(others)};
  } else {
    samples = hold_out(classes, request.test, seed, notes);
  }
  if (!skipped.empty()) {
    notes.push_back(
        fmt::format("skipped {} file{} without the file extension of a picture; the first is '{}'",
                    skipped.size(), skipped.size() == 1 ? "" : "s", skipped.front().string()));
  }
  DatasetSplits splits{.train = read_samples(samples.train, classes.size(), request),
                       .test = read_samples(samples.test, classes.size(), request)};
  splits.train.statistics = channel_statistics(splits.train);
  splits.test.statistics = splits.train.statistics;
  splits.train.notes = std::move(notes);
  check_dataset(splits.train);
  check_dataset(splits.test);
  return splits;
}

}  // namespace terse
