// Random crops and flips of training images, drawn anew in every epoch.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"

namespace terse {

struct Augmentation {
  std::int64_t crop = 0;   // pad by so many black pixels on each side, cut the size out anywhere
  bool flip = false;       // then mirror left and right, every second time
  std::uint64_t seed = 0;  // of the draws

  bool any() const { return crop > 0 || flip; }
};

// How one sample is seen: pixel (y, x) is pixel (y + dy, x + dx) of the file's image, and black
// outside of it; if mirrored, then pixel (y, W - 1 - x) is.
struct View {
  std::int64_t dy = 0, dx = 0;  // from -crop to crop
  bool mirrored = false;
};

// A pure function of (seed, epoch, sample), whatever worker asks for it.
View draw_view(const Augmentation& augmentation, std::int64_t epoch, std::int64_t sample);

// crop=, flip= : options of every data set of images.
Augmentation read_augmentation(Options& options, std::uint64_t seed);

}  // namespace terse
