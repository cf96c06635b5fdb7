#include "tersegrad/data/batch.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"

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

void BatchMaker::write_view(std::int64_t index, const View& view, float* out) const {
  const std::int64_t height = images_->height, width = images_->width;
  // Columns [begin, end) lie in the image. The others are black, as are rows outside of the image.
  const auto begin = std::max<std::int64_t>(0, -view.dx);
  const auto end = std::min(width, width - view.dx);
  const std::uint8_t* plane = images_->sample(index).data();
  for (const auto& channel : table_) {
    for (std::int64_t y = 0; y < height; ++y, out += width) {
      const std::int64_t row = y + view.dy;
      if (row < 0 || row >= height) {
        std::fill_n(out, width, channel[0]);
        continue;
      }
      const std::uint8_t* pixel = plane + row * width + view.dx;
      std::fill(out, out + begin, channel[0]);
      for (std::int64_t x = begin; x < end; ++x) out[x] = channel[pixel[x]];
      std::fill(out + end, out + width, channel[0]);
      if (view.mirrored) std::reverse(out, out + width);
    }
    plane += height * width;
  }
}

void BatchMaker::prepare(std::span<const std::int32_t> samples, Batch& batch) const {
  batch.channels = images_->channels;
  batch.height = images_->height;
  batch.width = images_->width;
  batch.images.resize(samples.size() * static_cast<std::size_t>(images_->sample_size()));
  batch.labels.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto index = samples[i];
    check(index >= 0 && index < images_->size(),
          "data set '{}': sample must be from 0 to {}; got {}", images_->name, images_->size() - 1,
          index);
    batch.labels[i] = images_->labels[static_cast<std::size_t>(index)];
  }
}

void BatchMaker::make(std::span<const std::int32_t> samples, Batch& batch) const {
  prepare(samples, batch);
  float* out = batch.images.data();
  for (const auto index : samples) {
    write_sample(index, out);
    out += images_->sample_size();
  }
}

void BatchMaker::make(std::span<const std::int32_t> samples, std::int64_t epoch,
                      Batch& batch) const {
  const auto& augmentation = images_->augmentation;
  if (!augmentation.any()) return make(samples, batch);
  prepare(samples, batch);
  float* out = batch.images.data();
  for (const auto index : samples) {
    write_view(index, draw_view(augmentation, epoch, index), out);
    out += images_->sample_size();
  }
}

}  // namespace terse
