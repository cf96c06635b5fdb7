#include "tersegrad/core/kernels/conv/plane.hpp"

#include <algorithm>

#include "tersegrad/core/kernels/transpose.hpp"

namespace terse::kernels {

Buffer<float> zero_planes(const Plane& plane, std::int64_t count) {
  Buffer<float> planes(plane.size() * count);
  std::ranges::fill(planes.span(), 0.0F);
  return planes;
}

void copy_to_planes(const ImageSlice& images, const float* x, std::int64_t begin, std::int64_t end,
                    const Plane& plane, const RowsRead& read, float* planes) {
  for (std::int64_t n = begin; n < end; ++n, planes += plane.size()) {
    const float* from = x + images.offset(n);
    for (std::int64_t i = 0; i < images.h; ++i) {
      const std::int64_t row = plane.top + i;
      if (row % read.stride >= read.r) continue;
      transpose(images.channels, images.w, from + i * images.w, images.pixels(),
                planes + plane.at(row, plane.left), plane.pitch);
    }
  }
}

}  // namespace terse::kernels
