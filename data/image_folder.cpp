#include "data/image_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "data/image_file.hpp"

namespace terse {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kHeldOut =
    2;  // `tensor` of a stream of Purpose::shuffle; partitions have 0 and 1

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

// What is in a folder, sorted, but for names that start with a dot.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().front() != '.') all.push_back(entry.path());
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<ClassFolder> find_classes(const fs::path& folder) {
  std::vector<ClassFolder> classes;
  for (const auto& path : entries(folder)) {
    if (!fs::is_directory(path)) continue;
    classes.push_back({.name = path.filename().string(), .files = entries(path)});
    check(!classes.back().files.empty(), "images '{}': a class folder without a picture",
          path.string());
  }
  check(!classes.empty(), "images '{}': there must be a folder for each class; got none",
        folder.string());
  return classes;
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

// Every k-th picture of a class is held out, from a place on that is drawn for it.
SplitSamples hold_out(const std::vector<ClassFolder>& classes, double share, std::uint64_t seed) {
  const auto k = static_cast<std::uint64_t>(std::lround(1 / share));
  SplitSamples samples;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const auto& [name, files] = classes[label];
    check(files.size() >= 2,
          "images: class '{}': it must have 2 pictures or more, so that one can be held out; got "
          "{}",
          name, files.size());
    auto place = Philox(seed, {.purpose = Purpose::shuffle,
                               .step = static_cast<std::uint32_t>(label),
                               .tensor = kHeldOut})
                     .below(k);
    for (const auto& file : files) {
      auto& split = place++ % k == 0 ? samples.test : samples.train;
      split.push_back({.file = file, .label = static_cast<std::int32_t>(label)});
    }
  }
  check(!samples.test.empty(), "images: too few pictures to hold a share of {} out; got {}", share,
        samples.train.size());
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
                    "data 'images': it must be told the folder: images:path=DIR; there must be a "
                    "folder of pictures for each class, or train and test, which hold those");
  check(fs::is_directory(request.folder), "images: no such directory: '{}'",
        request.folder.string());
  return request;
}

}  // namespace

DatasetSplits load_image_folder(Options& options, std::uint64_t seed) {
  const auto request = read_request(options);
  const auto train = request.folder / "train", test = request.folder / "test";
  const bool given = fs::is_directory(train) && fs::is_directory(test);
  const auto classes = find_classes(given ? train : request.folder);
  SplitSamples samples;
  if (given) {
    const auto others = find_classes(test);
    check(names_of(classes) == names_of(others),
          "images '{}': train and test must have the same classes; got {} and {}",
          request.folder.string(), names_of(classes), names_of(others));
    samples = {.train = all_samples(classes), .test = all_samples(others)};
  } else {
    samples = hold_out(classes, request.test, seed);
  }
  DatasetSplits splits{.train = read_samples(samples.train, classes.size(), request),
                       .test = read_samples(samples.test, classes.size(), request)};
  splits.train.statistics = channel_statistics(splits.train);
  splits.test.statistics = splits.train.statistics;
  check_dataset(splits.train);
  check_dataset(splits.test);
  return splits;
}

}  // namespace terse
