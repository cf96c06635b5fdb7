// CIFAR-10 in its binary files: data_batch_1.bin … data_batch_5.bin and test_batch.bin, each plain
// or with .gz. A record is a label and 3×32×32 pixels; a file of the data set has 10000 of them.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

// `cifar10:path=DIR`, or `cifar10:DIR`: the folder of the files, or the one that their archive was
// unpacked in. train=, test= : only the first so many samples (0: all).
DatasetSplits load_cifar10(Options& options, std::uint64_t seed);

}  // namespace terse
