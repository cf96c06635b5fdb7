// An image data set from files in folders, one folder per class.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

// `images:path=DIR[,size=32,channels=3,test=0.1]`, or `images:DIR`. Classes are numbered in the
// order of their names. If DIR contains the folders `train` and `test` (or `val`), these are the
// splits, and contain the class folders. Otherwise DIR contains the class folders, and of each
// class with n > 1 pictures, round(test · n), at least 1 and at most n - 1, form the test split,
// evenly spaced from a random start that depends on the seed. Names that begin with a dot are
// ignored, as are files without an image extension. Throws Error for a missing folder, an empty
// class, different classes in the two splits, or a picture that cannot be read.
DatasetSplits load_image_folder(Options& options, std::uint64_t seed);

}  // namespace terse
