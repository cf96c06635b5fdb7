// Zero-padded copies of images, in the layout that the tiles of the direct convolutions read.
#pragma once

#include <cstdint>

#include "tersegrad/core/buffer.hpp"

namespace terse::kernels {

// The channels of one group, [first, first + channels), of images (N, all, H, W).
struct ImageSlice {
  std::int64_t n, all, first, channels, h, w;
  std::int64_t pixels() const { return h * w; }
  std::int64_t offset(std::int64_t image) const { return (image * all + first) * pixels(); }
};

// A padded image (height, width, pitch) that is zero outside the pixels of its source. Pixel (i, j)
// of the source is at (top + i, left + j). The pitch is the number of channels or more.
struct Plane {
  std::int64_t height, width, pitch;
  std::int64_t top, left;
  std::int64_t size() const { return height * width * pitch; }
  std::int64_t at(std::int64_t row, std::int64_t column) const {
    return (row * width + column) * pitch;
  }
};

// `count` planes, all zero.
Buffer<float> zero_planes(const Plane& plane, std::int64_t count);

// The rows of a plane that a convolution reads: of every `stride` rows the first `r`.
struct RowsRead {
  std::int64_t stride, r;
};

// Copies the pixels of images [begin, end) to planes, only the rows that `read` contains. The rest
// of the planes must be zero.
void copy_to_planes(const ImageSlice& images, const float* x, std::int64_t begin, std::int64_t end,
                    const Plane& plane, const RowsRead& read, float* planes);

}  // namespace terse::kernels
