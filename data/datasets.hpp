// Data sets by name: the one table, and the spec strings of --data.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/spec.hpp"
#include "data/image_dataset.hpp"

namespace terse {

struct DatasetEntry {
  std::string_view name;
  std::string_view help;  // one line: options and what it is
  // Reads its options, calls finish(), and only then opens or draws anything. `seed` is for what
  // is drawn; files ignore it.
  DatasetSplits (*load)(Options& options, std::uint64_t seed);
};

// Every data set there is.
std::span<const DatasetEntry> dataset_table();

// `fashion-mnist`, `mnist:path=DIR`, `synthetic:classes=4,noise=0.5`, …
// A wrong name or option is a UsageError; a file that is missing or broken is an Error.
DatasetSplits load_dataset(std::string_view spec, std::uint64_t seed);

}  // namespace terse
