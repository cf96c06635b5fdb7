// CIFAR-10 from its binary files data_batch_1.bin … data_batch_5.bin and test_batch.bin, each plain
// or with the extension .gz. A record is a one-byte label and 3×32×32 pixels; the files of the data
// set have 10000 records each.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

// `cifar10:path=DIR`, or `cifar10:DIR`. DIR is the folder of the files, or the folder into which
// their archive was unpacked. train=N and test=N use only the first N samples (0: all). Throws
// UsageError without a path, and Error for missing or broken files.
DatasetSplits load_cifar10(Options& options, std::uint64_t seed);

}  // namespace terse
