#include "tersegrad/data/augmentation.hpp"

#include "tersegrad/core/random.hpp"

namespace terse {

View draw_view(const Augmentation& augmentation, std::int64_t epoch, std::int64_t sample) {
  Philox random(augmentation.seed, {.purpose = Purpose::augment,
                                    .step = static_cast<std::uint32_t>(epoch),
                                    .tensor = static_cast<std::uint32_t>(sample)});
  View view;
  if (augmentation.crop > 0) {
    const auto places = static_cast<std::uint64_t>(2 * augmentation.crop + 1);
    view.dy = static_cast<std::int64_t>(random.below(places)) - augmentation.crop;
    view.dx = static_cast<std::int64_t>(random.below(places)) - augmentation.crop;
  }
  view.mirrored = augmentation.flip && random.below(2) == 1;
  return view;
}

Augmentation read_augmentation(Options& options, std::uint64_t seed) {
  Augmentation augmentation;
  augmentation.crop = options.integer("crop", 0, 0, 1000);
  augmentation.flip = options.flag("flip", false);
  augmentation.seed = seed;
  return augmentation;
}

}  // namespace terse
