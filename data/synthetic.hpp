// A procedural image data set that needs no files, for quick experiments with convolutional
// networks.
//
// Each class has one smooth random pattern. A sample is the pattern of its class, shifted in each
// direction by up to a fifth of its size with wrap-around, plus noise on every pixel. Sample i has
// class i mod classes, so every split is balanced. The same seed gives the same bytes on every
// machine. A sample does not depend on the number of samples.
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
  double noise = 1.0;  // standard deviation, in units of the patterns' standard deviation
};

DatasetSplits make_synthetic(const SyntheticOptions& options, std::uint64_t seed);

// Reads the options of `synthetic[:classes=,size=,channels=,train=,test=,noise=]` and makes the
// data set.
DatasetSplits load_synthetic(Options& options, std::uint64_t seed);

}  // namespace terse
