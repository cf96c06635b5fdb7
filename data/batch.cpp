#include "data/batch.hpp"

#include "core/error.hpp"

namespace terse {

BatchMaker::BatchMaker(const ImageDataset& images) : images_(&images) {
  check_dataset(images);
  table_.resize(static_cast<std::size_t>(images.channels));
  for (std::size_t c = 0; c < table_.size(); ++c) {
    const float mean = images.statistics.mean[c], stddev = images.statistics.stddev[c];
    for (std::size_t value = 0; value < 256; ++value) {
      table_[c][value] = (static_cast<float>(value) / 255.0F - mean) / stddev;
    }
  }
}

void BatchMaker::write_sample(std::int64_t index, float* out) const {
  const std::uint8_t* pixel = images_->sample(index).data();
  const std::int64_t area = images_->height * images_->width;
  for (const auto& channel : table_) {
    for (std::int64_t i = 0; i < area; ++i) *out++ = channel[*pixel++];
  }
}

void BatchMaker::make(std::span<const std::int32_t> samples, Batch& batch) const {
  const std::int64_t each = images_->sample_size();
  batch.channels = images_->channels;
  batch.height = images_->height;
  batch.width = images_->width;
  batch.images.resize(samples.size() * static_cast<std::size_t>(each));
  batch.labels.resize(samples.size());
  float* out = batch.images.data();
  for (std::size_t i = 0; i < samples.size(); ++i, out += each) {
    const auto index = samples[i];
    check(index >= 0 && index < images_->size(),
          "data set '{}': sample must be from 0 to {}; got {}", images_->name, images_->size() - 1,
          index);
    write_sample(index, out);
    batch.labels[i] = images_->labels[static_cast<std::size_t>(index)];
  }
}

}  // namespace terse
