// Some samples as floats, ready for a model.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/data/image_dataset.hpp"

namespace terse {

struct Batch {
  std::int64_t epoch = 0, step = 0;  // place in the data; evaluation: epoch 0, number of the batch
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<float> images;         // N×C×H×W, normalised
  std::vector<std::int32_t> labels;  // N

  std::int64_t size() const { return std::ssize(labels); }
};

// Makes batches: pixel x of channel c becomes (x / 255 - mean[c]) / stddev[c], looked up in a
// table. The data set must outlive it.
class BatchMaker {
 public:
  explicit BatchMaker(const ImageDataset& images);
  explicit BatchMaker(ImageDataset&&) = delete;

  // Fills floats, labels and sizes of `batch` with these samples as they are. Takes no memory if
  // the batch held as many before. Thread-safe.
  void make(std::span<const std::int32_t> samples, Batch& batch) const;

  // The same as an epoch of training sees them: moved and mirrored as the data set's augmentation
  // says.
  void make(std::span<const std::int32_t> samples, std::int64_t epoch, Batch& batch) const;

  const ImageDataset& images() const { return *images_; }

 private:
  // Sizes and labels.
  void prepare(std::span<const std::int32_t> samples, Batch& batch) const;
  void write_sample(std::int64_t index, float* out) const;
  void write_view(std::int64_t index, const View& view, float* out) const;

  const ImageDataset* images_;
  std::vector<std::array<float, 256>> table_;  // per channel
};

}  // namespace terse
