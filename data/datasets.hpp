// The registry of data sets, and the parser of the spec strings of --data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/image_dataset.hpp"
#include "tersegrad/data/text_dataset.hpp"

namespace terse {

struct DatasetEntry {
  std::string_view name;
  std::string_view help;  // one line: options and description
  // Reads the options and calls options.finish() before it opens a file or draws a random number.
  // `seed` determines random draws.
  DatasetSplits (*load)(Options& options, std::uint64_t seed);
};

struct TextEntry {
  std::string_view name;
  std::string_view help;
  TextSplits (*load)(Options& options, std::uint64_t seed);
};

// All image data sets and all text data sets.
std::span<const DatasetEntry> dataset_table();
std::span<const TextEntry> text_table();

// The help text of both tables, one line per data set.
std::string dataset_help();

// Returns whether a spec names a text data set; false for an unknown name, for which load_dataset
// throws an error with the known names.
bool is_text(std::string_view spec);

// Loads an image data set by its spec, e.g. `fashion-mnist`, `mnist:path=DIR` or
// `synthetic:classes=4,noise=0.5`. Throws UsageError for a wrong name or option, and Error for a
// missing or broken file.
DatasetSplits load_dataset(std::string_view spec, std::uint64_t seed);

// Loads a text by its spec, e.g. `kjv`, `text:path=DIR,seq=35` or `synthetic-text:vocab=50`. Throws
// the same errors.
TextSplits load_text(std::string_view spec, std::uint64_t seed);

}  // namespace terse
