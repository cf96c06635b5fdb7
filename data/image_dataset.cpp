#include "tersegrad/data/image_dataset.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {

ChannelStatistics channel_statistics(const ImageDataset& images) {
  const auto area = static_cast<std::size_t>(images.height * images.width);
  ChannelStatistics statistics;
  for (std::int64_t c = 0; c < images.channels; ++c) {
    // A histogram of the 256 pixel values avoids accumulated rounding errors.
    std::array<std::int64_t, 256> counts{};
    for (std::int64_t n = 0; n < images.size(); ++n) {
      const auto plane = images.sample(n).subspan(static_cast<std::size_t>(c) * area, area);
      for (const auto pixel : plane) ++counts[pixel];
    }
    const double total = static_cast<double>(images.size()) * static_cast<double>(area);
    double mean = 0, square = 0;
    for (std::size_t value = 0; value < counts.size(); ++value) {
      const double x = static_cast<double>(value) / 255.0;
      const double share = static_cast<double>(counts[value]) / total;
      mean += share * x;
      square += share * x * x;
    }
    statistics.mean.push_back(static_cast<float>(mean));
    const bool constant = std::ranges::count(counts, 0) >= std::ssize(counts) - 1;
    const double variance = constant ? 1 : std::max(0.0, square - mean * mean);
    statistics.stddev.push_back(static_cast<float>(std::sqrt(variance)));
  }
  return statistics;
}

void check_labels(const std::string& what, std::span<const std::int32_t> labels,
                  std::int64_t classes) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= 0 && labels[i] < classes,
          "{}: label of sample {}: it must be from 0 to {}; got {}", what, i, classes - 1,
          labels[i]);
  }
}

void check_dataset(const ImageDataset& images) {
  check(images.size() > 0 && images.sample_size() > 0 && images.classes > 0,
        "data set '{}': it must not be empty; got {} samples of {}x{}x{}, {} classes", images.name,
        images.size(), images.channels, images.height, images.width, images.classes);
  check(std::ssize(images.pixels) == images.size() * images.sample_size(),
        "data set '{}': pixels must be {}x{}x{}x{}; got {} bytes", images.name, images.size(),
        images.channels, images.height, images.width, images.pixels.size());
  const auto& [mean, stddev] = images.statistics;
  check(std::ssize(mean) == images.channels && std::ssize(stddev) == images.channels,
        "data set '{}': mean and stddev must be given for each of {} channels; got {} and {}",
        images.name, images.channels, mean.size(), stddev.size());
  for (std::size_t c = 0; c < stddev.size(); ++c) {
    check(stddev[c] > 0, "data set '{}': stddev of channel {} must be positive; got {}",
          images.name, c, stddev[c]);
  }
  const std::int64_t crop = images.augmentation.crop;
  check(crop >= 0 && crop < images.height && crop < images.width,
        "data set '{}': crop must be at least 0 and below the size of the images; got {} and {}x{}",
        images.name, crop, images.height, images.width);
  check_labels("data set '" + images.name + "'", images.labels, images.classes);
}

void repeat_channel(ImageDataset& images, std::int64_t channels) {
  if (images.channels == channels) return;
  check(images.channels == 1 && channels >= 1,
        "data set '{}': expected one channel to repeat; got {} channels, to become {}", images.name,
        images.channels, channels);
  std::vector<std::uint8_t> repeated;
  repeated.reserve(images.pixels.size() * static_cast<std::size_t>(channels));
  for (std::int64_t n = 0; n < images.size(); ++n) {
    const auto plane = images.sample(n);
    for (std::int64_t c = 0; c < channels; ++c) {
      repeated.insert(repeated.end(), plane.begin(), plane.end());
    }
  }
  images.pixels = std::move(repeated);
  images.channels = channels;
  auto& [mean, stddev] = images.statistics;
  mean.assign(static_cast<std::size_t>(channels), mean.at(0));
  stddev.assign(static_cast<std::size_t>(channels), stddev.at(0));
}

void keep_first(ImageDataset& images, std::int64_t count) {
  if (count >= images.size()) return;
  images.pixels.resize(static_cast<std::size_t>(count * images.sample_size()));
  images.pixels.shrink_to_fit();
  images.labels.resize(static_cast<std::size_t>(count));
}

ImageDataset hold_out(ImageDataset& images, std::int64_t count) {
  check<UsageError>(count > 0 && count % images.classes == 0,
                    "data '{}': valid must be a multiple of {}, because it takes as many images of "
                    "each of the {} classes; got {}",
                    images.name, images.classes, images.classes, count);
  const std::int64_t each = count / images.classes;
  std::vector<std::int64_t> stay(static_cast<std::size_t>(images.classes));  // samples by class
  for (const auto label : images.labels) ++stay[static_cast<std::size_t>(label)];
  for (std::size_t label = 0; label < stay.size(); ++label) {
    check<UsageError>(stay[label] > each,
                      "data '{}': valid={} takes {} images of each class, and must leave some for "
                      "training; class {} has {} training images",
                      images.name, count, each, label, stay[label]);
    stay[label] -= each;
  }

  ImageDataset held{.name = images.name,
                    .classes = images.classes,
                    .channels = images.channels,
                    .height = images.height,
                    .width = images.width,
                    .pixels = {},
                    .labels = {},
                    .statistics = images.statistics};
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < images.size(); ++i) {
    const auto label = images.labels[static_cast<std::size_t>(i)];
    const auto sample = images.sample(i);
    if (stay[static_cast<std::size_t>(label)]-- <= 0) {
      held.pixels.insert(held.pixels.end(), sample.begin(), sample.end());
      held.labels.push_back(label);
      continue;
    }
    if (kept < i) std::ranges::copy(sample, images.pixels.begin() + kept * images.sample_size());
    images.labels[static_cast<std::size_t>(kept++)] = label;
  }
  keep_first(images, kept);
  return held;
}

}  // namespace terse
