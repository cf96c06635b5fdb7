// The data: noisy grey images of stripes. The direction of the stripes is the class.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "tersegrad/core/random.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace stripes {

// `count` images (1, 16, 16): stripes at 0, 45, 90 and 135 degrees by turns.
inline terse::ImageDataset make_stripes(std::int64_t count, std::uint64_t seed) {
  terse::ImageDataset set;
  set.name = "stripes";
  set.classes = 4;
  set.channels = 1;
  set.height = set.width = 16;
  terse::Philox random(seed, {.purpose = terse::Purpose::synthetic});
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(i % set.classes);
    const double angle = label * std::numbers::pi / 4;
    const double phase = 2 * std::numbers::pi * random.uniform();
    for (int y = 0; y < set.height; ++y) {
      for (int x = 0; x < set.width; ++x) {
        const double wave = std::sin(1.2 * (x * std::cos(angle) + y * std::sin(angle)) + phase);
        const double grey = 128 + 40 * wave + 40 * random.normal();
        set.pixels.push_back(static_cast<std::uint8_t>(std::clamp(grey, 0.0, 255.0)));
      }
    }
    set.labels.push_back(label);
  }
  set.statistics = terse::channel_statistics(set);
  return set;
}

}  // namespace stripes
