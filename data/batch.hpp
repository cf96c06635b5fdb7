// A mini-batch of images as normalised floats, and the class that makes it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/data/image_dataset.hpp"

namespace terse {

struct Batch {
  std::int64_t epoch = 0, step = 0;  // position in the data; evaluation: epoch 0, batch number
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<float> images;         // N×C×H×W, normalised
  std::vector<std::int32_t> labels;  // N

  std::int64_t size() const { return std::ssize(labels); }
};

// Makes batches. Pixel x of channel c becomes (x / 255 - mean[c]) / stddev[c], by table lookup. The
// data set must outlive the BatchMaker.
class BatchMaker {
 public:
  explicit BatchMaker(const ImageDataset& images);
  explicit BatchMaker(ImageDataset&&) = delete;

  // Sets sizes, images and labels of `batch` to these samples, without augmentation. Does not
  // allocate if the batch held as many samples before. Throws Error if an index is out of range.
  // Thread-safe.
  void make(std::span<const std::int32_t> samples, Batch& batch) const;

  // The same, with the random crops and flips that the data set's augmentation draws for `epoch`.
  void make(std::span<const std::int32_t> samples, std::int64_t epoch, Batch& batch) const;

  const ImageDataset& images() const { return *images_; }

 private:
  // Sets the sizes and labels.
  void prepare(std::span<const std::int32_t> samples, Batch& batch) const;
  void write_sample(std::int64_t index, float* out) const;
  void write_view(std::int64_t index, const View& view, float* out) const;

  const ImageDataset* images_;
  std::vector<std::array<float, 256>> table_;  // per channel
};

}  // namespace terse
