// Pictures in folders, one folder for each class.
#pragma once

#include <cstdint>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"

namespace terse {

// `images:path=DIR[,size=32,channels=3,test=0.1]`, or `images:DIR`. Classes are numbered in the
// order of their names. If DIR holds the folders train and test, those are the splits, and hold the
// classes; or else every k-th picture of each class is the test split, k = round(1 / test), from a
// place on that the seed draws. Files whose name starts with a dot are passed over.
DatasetSplits load_image_folder(Options& options, std::uint64_t seed);

}  // namespace terse
