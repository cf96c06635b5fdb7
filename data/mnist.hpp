// Data sets in the four IDX files of MNIST: train-images-idx3-ubyte, train-labels-idx1-ubyte,
// t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or with .gz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

struct IdxFolder {
  std::string name;  // of the data set
  std::filesystem::path directory;
  std::int64_t classes = 0;      // 0: one more than the largest label of the training split
  ChannelStatistics statistics;  // one channel
};

// Reads the four files; an Error names the file and the place.
DatasetSplits read_idx_folder(const IdxFolder& folder);

// `mnist:path=DIR` and `fashion-mnist[:path=DIR]`; path= may be left out: `mnist:DIR`.
// classes=: how many there are, where the training labels do not tell.
// train=, test= : only the first so many samples (0: all). channels=3 repeats the grey one.
DatasetSplits load_mnist(Options& options, std::uint64_t seed);
DatasetSplits load_fashion_mnist(Options& options, std::uint64_t seed);

}  // namespace terse
