// Data sets in the format of MNIST, four IDX files: train-images-idx3-ubyte,
// train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or with
// the extension .gz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

struct IdxFolder {
  std::string name;  // name of the data set
  std::filesystem::path directory;
  std::int64_t classes = 0;      // 0: the largest training label plus one, at least 2
  ChannelStatistics statistics;  // of the one channel
};

// Reads the four files. Throws Error with the file and the position if one is missing or broken.
DatasetSplits read_idx_folder(const IdxFolder& folder);

// `mnist:path=DIR` and `fashion-mnist[:path=DIR]`, or short `mnist:DIR`. Options:
//   classes=N           number of classes, if it is not the largest training label plus one
//   train=N, test=N     use only the first N samples (0: all)
//   channels=3          repeat the grey channel three times
DatasetSplits load_mnist(Options& options, std::uint64_t seed);
DatasetSplits load_fashion_mnist(Options& options, std::uint64_t seed);

}  // namespace terse
