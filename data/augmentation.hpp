// Random crops and horizontal flips of training images, drawn again in every epoch.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"

namespace terse {

struct Augmentation {
  std::int64_t crop = 0;   // pad each side by this many black pixels, then crop at a random place
  bool flip = false;       // then mirror horizontally with probability 1/2
  std::uint64_t seed = 0;  // seed of the random draws

  bool any() const { return crop > 0 || flip; }
};

// The transformation of one sample. Pixel (y, x) of the result is pixel (y + dy, x + dx) of the
// original, or black if that lies outside; if `mirrored`, the result is then mirrored horizontally.
struct View {
  std::int64_t dy = 0, dx = 0;  // in [-crop, crop]
  bool mirrored = false;
};

// Draws the transformation: a pure function of (seed, epoch, sample), the same on every worker.
View draw_view(const Augmentation& augmentation, std::int64_t epoch, std::int64_t sample);

// Reads crop= and flip=, options of every image data set.
Augmentation read_augmentation(Options& options, std::uint64_t seed);

}  // namespace terse
