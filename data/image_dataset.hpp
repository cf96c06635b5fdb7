// Labelled images in memory, stored as bytes. BatchMaker converts them to floats.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/data/augmentation.hpp"

namespace terse {

// Mean and standard deviation of each channel, for pixels scaled to [0, 1].
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
  ChannelStatistics statistics;      // for normalisation; always those of the training images
  Augmentation augmentation{};       // only training splits have one
  std::vector<std::string> notes{};  // messages to the user, e.g. on files that were skipped

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
  std::optional<ImageDataset> valid = std::nullopt;  // with valid=N: images taken from `train`
};

// Computes the statistics over all pixels. A channel that is constant gets a standard deviation of
// 1.
ChannelStatistics channel_statistics(const ImageDataset& images);

// Throws Error unless every label is in [0, classes). `what` names the labels in the message.
void check_labels(const std::string& what, std::span<const std::int32_t> labels,
                  std::int64_t classes);

// Throws Error unless the data set is not empty, the sizes of pixels, labels and statistics agree,
// all labels are valid, and the crop is smaller than the images.
void check_dataset(const ImageDataset& images);

// Converts a data set with one channel to `channels` equal channels. Does nothing if it has
// `channels` already; throws Error if it has another number.
void repeat_channel(ImageDataset& images, std::int64_t channels);

// Removes all samples after the first `count`.
void keep_first(ImageDataset& images, std::int64_t count);

// Moves the last count / classes samples of each class to the data set that is returned. Both keep
// the order of their samples. Throws UsageError unless `count` is a positive multiple of the number
// of classes and each class keeps at least one sample.
ImageDataset hold_out(ImageDataset& images, std::int64_t count);

}  // namespace terse
