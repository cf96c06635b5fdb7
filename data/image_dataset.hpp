// Labelled images in memory, as bytes; they become floats when a batch is made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/data/augmentation.hpp"

namespace terse {

// Mean and standard deviation of each channel, where pixels run from 0 to 1.
struct ChannelStatistics {
  std::vector<float> mean;
  std::vector<float> stddev;
};

struct ImageDataset {
  std::string name;
  std::int64_t classes = 0;
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // N×C×H×W
  std::vector<std::int32_t> labels;  // N, each in [0, classes)
  ChannelStatistics statistics;      // what pixels are normalised with: the training split's
  Augmentation augmentation{};       // none, but for a training split
  std::vector<std::string> notes{};  // what its reader left out, for a person to know

  std::int64_t size() const { return std::ssize(labels); }
  std::int64_t sample_size() const { return channels * height * width; }
  std::span<const std::uint8_t> sample(std::int64_t index) const {  // C×H×W
    return std::span(pixels).subspan(static_cast<std::size_t>(index * sample_size()),
                                     static_cast<std::size_t>(sample_size()));
  }
};

struct DatasetSplits {
  ImageDataset train;
  ImageDataset test;
};

// Computed over all of the pixels. The deviation of a channel that is constant is 1.
ChannelStatistics channel_statistics(const ImageDataset& images);

// Every label must be in [0, classes); `what` names the labels in the error.
void check_labels(const std::string& what, std::span<const std::int32_t> labels,
                  std::int64_t classes);

// Sizes of pixels, labels and statistics must agree with one another, and a crop leave something.
void check_dataset(const ImageDataset& images);

// Repeats the one channel of a grey data set so often. One that has `channels` already stays.
void repeat_channel(ImageDataset& images, std::int64_t channels);

// Drops all samples but the first `count`, if there are more.
void keep_first(ImageDataset& images, std::int64_t count);

}  // namespace terse
