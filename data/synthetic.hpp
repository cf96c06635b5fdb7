// A procedural image set that needs no file: something small for a convolutional network to learn.
//
// Each class has one smooth pattern. A sample is its class's pattern, moved by up to a fifth of its
// size each way with wrap-around, plus noise on every pixel. Classes take turns, so every split is
// balanced. The same seed gives the same bytes on every machine, and the first samples do not
// depend on how many there are.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

struct SyntheticOptions {
  std::int64_t classes = 10;
  std::int64_t size = 28;  // height and width
  std::int64_t channels = 1;
  std::int64_t train = 6000;
  std::int64_t test = 1000;
  double noise = 1.0;  // standard deviation, in standard deviations of the patterns
};

DatasetSplits make_synthetic(const SyntheticOptions& options, std::uint64_t seed);

// `synthetic[:classes=,size=,channels=,train=,test=,noise=]`
DatasetSplits load_synthetic(Options& options, std::uint64_t seed);

}  // namespace terse
