#include "tersegrad/data/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

// Values of the `worker` field of the random streams, which distinguish their uses.
constexpr std::uint32_t kPatterns = 0, kTrain = 1, kTest = 2;

constexpr std::int64_t kCell = 4;        // pixels between the random knots of a pattern
constexpr std::int64_t kShiftShare = 5;  // samples are shifted by up to size / kShiftShare
constexpr double kContrast = 32.0;       // standard deviation of a pattern, in pixel values
// Pixel values are computed as integers in units of 1/4096, because a compiler may contract the
// floating-point expression a * b + c, which would change the data.
constexpr int kFractionBits = 12;
constexpr double kOne = 1 << kFractionBits;

// One H×W pattern with mean 0 and standard deviation kContrast: bilinear interpolation of random
// knots on a torus, so that a shift with wrap-around leaves no seam.
std::vector<std::int32_t> make_pattern(std::int64_t size, Philox random) {
  const std::int64_t knots = std::max<std::int64_t>(2, size / kCell);
  std::vector<std::int64_t> grid(static_cast<std::size_t>(knots * knots));
  for (auto& knot : grid) knot = random.next() >> 24;
  const auto at = [&](std::int64_t y, std::int64_t x) {
    return grid[static_cast<std::size_t>((y % knots) * knots + x % knots)];
  };
  std::vector<std::uint64_t> heights;  // below 2^16
  std::uint64_t sum = 0, square = 0;
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      const std::int64_t ky = y * knots / size, fy = y * knots % size;  // fy, fx: in 1/size
      const std::int64_t kx = x * knots / size, fx = x * knots % size;
      const std::int64_t above = (size - fx) * at(ky, kx) + fx * at(ky, kx + 1);
      const std::int64_t below = (size - fx) * at(ky + 1, kx) + fx * at(ky + 1, kx + 1);
      const std::int64_t height = ((size - fy) * above + fy * below) * 256 / (size * size);
      heights.push_back(static_cast<std::uint64_t>(height));
      sum += heights.back();
      square += heights.back() * heights.back();
    }
  }
  // n times the standard deviation. n · square < 2^64, because the size is at most 256.
  const auto n = static_cast<std::uint64_t>(heights.size());
  const auto spread =
      std::sqrt(static_cast<double>(std::max<std::uint64_t>(1, n * square - sum * sum)));
  std::vector<std::int32_t> pattern;
  for (const auto height : heights) {
    const auto above_mean = static_cast<double>(static_cast<std::int64_t>(n * height - sum));
    pattern.push_back(
        static_cast<std::int32_t>(std::lround(kContrast * kOne * above_mean / spread)));
  }
  return pattern;
}

// Approximately normal noise with mean 0 and standard deviation kNoiseUnit: the sum of the four
// bytes of a word, minus its mean.
constexpr double kNoiseUnit = 147.8;  // sqrt(4 (256^2 - 1) / 12)
std::int32_t noise_of(std::uint32_t word) {
  const auto sum = (word & 0xFF) + ((word >> 8) & 0xFF) + ((word >> 16) & 0xFF) + (word >> 24);
  return static_cast<std::int32_t>(sum) - 510;
}

// Writes one sample of shape C×H×W. `patterns` points to the C patterns of its class.
void draw_sample(const SyntheticOptions& options, const std::vector<std::int32_t>* patterns,
                 Philox random, std::uint8_t* pixels) {
  constexpr std::int32_t kMiddle = 128 << kFractionBits, kHalf = 1 << (kFractionBits - 1);
  const std::int64_t size = options.size;
  const std::int64_t reach = size / kShiftShare;
  const auto draw_shift = [&] {
    const auto steps = random.below(static_cast<std::uint64_t>(2 * reach + 1));
    return static_cast<std::int64_t>(steps) - reach + size;
  };
  const std::int64_t dy = draw_shift(), dx = draw_shift();
  const auto noise =
      static_cast<std::int32_t>(std::lround(options.noise * kContrast * kOne / kNoiseUnit));
  for (std::int64_t c = 0; c < options.channels; ++c) {
    for (std::int64_t y = 0; y < size; ++y) {
      const std::int32_t* row = patterns[c].data() + (y + dy) % size * size;
      for (std::int64_t x = 0; x < size; ++x) {
        const std::int32_t value =
            kMiddle + kHalf + row[(x + dx) % size] + noise * noise_of(random.next());
        *pixels++ = static_cast<std::uint8_t>(std::clamp(value >> kFractionBits, 0, 255));
      }
    }
  }
}

}  // namespace

DatasetSplits make_synthetic(const SyntheticOptions& options, std::uint64_t seed) {
  std::vector<std::vector<std::int32_t>> patterns;  // classes × channels
  for (std::int64_t k = 0; k < options.classes; ++k) {
    for (std::int64_t c = 0; c < options.channels; ++c) {
      const Stream stream{.purpose = Purpose::synthetic,
                          .worker = kPatterns,
                          .step = static_cast<std::uint32_t>(k),
                          .tensor = static_cast<std::uint32_t>(c)};
      patterns.push_back(make_pattern(options.size, Philox(seed, stream)));
    }
  }
  const auto make_split = [&](std::int64_t count, std::uint32_t part) {
    ImageDataset split;
    split.name = "synthetic";
    split.classes = options.classes;
    split.channels = options.channels;
    split.height = split.width = options.size;
    split.pixels.resize(static_cast<std::size_t>(count * split.sample_size()));
    split.labels.resize(static_cast<std::size_t>(count));
    parallel_for(count, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t label = i % options.classes;
        split.labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(label);
        const Stream stream{
            .purpose = Purpose::synthetic, .worker = part, .step = static_cast<std::uint32_t>(i)};
        draw_sample(options, patterns.data() + label * options.channels, Philox(seed, stream),
                    split.pixels.data() + i * split.sample_size());
      }
    });
    return split;
  };
  DatasetSplits splits{.train = make_split(options.train, kTrain),
                       .test = make_split(options.test, kTest)};
  splits.train.statistics = channel_statistics(splits.train);
  splits.test.statistics = splits.train.statistics;
  check_dataset(splits.train);
  check_dataset(splits.test);
  return splits;
}

DatasetSplits load_synthetic(Options& options, std::uint64_t seed) {
  const SyntheticOptions defaults;
  SyntheticOptions wanted;
  wanted.classes = options.integer("classes", defaults.classes, 2, 1000);
  wanted.size = options.integer("size", defaults.size, 4, 256);
  wanted.channels = options.integer("channels", defaults.channels, 1, 16);
  wanted.train = options.integer("train", defaults.train, 1, 10'000'000);
  wanted.test = options.integer("test", defaults.test, 1, 10'000'000);
  wanted.noise = options.number("noise", defaults.noise, 0, 100);
  options.finish();
  return make_synthetic(wanted, seed);
}

}  // namespace terse
