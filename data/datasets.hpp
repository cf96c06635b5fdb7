// Data sets by name: the one table, and the spec strings of --data.
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
  std::string_view help;  // one line: options and what it is
  // Reads its options, calls finish(), and only then opens or draws anything. `seed` is for what
  // is drawn; files ignore it.
  DatasetSplits (*load)(Options& options, std::uint64_t seed);
};

struct TextEntry {
  std::string_view name;
  std::string_view help;
  TextSplits (*load)(Options& options, std::uint64_t seed);
};

// Every data set there is: of images, and of text.
std::span<const DatasetEntry> dataset_table();
std::span<const TextEntry> text_table();

// Both tables, a line for each data set.
std::string dataset_help();

// Whether a spec names a text. What names nothing known is no text: load_dataset explains it.
bool is_text(std::string_view spec);

// `fashion-mnist`, `mnist:path=DIR`, `synthetic:classes=4,noise=0.5`, …
// A wrong name or option is a UsageError; a file that is missing or broken is an Error.
DatasetSplits load_dataset(std::string_view spec, std::uint64_t seed);

// `kjv`, `text:path=DIR,seq=35`, `synthetic-text:vocab=50`, … with the same errors.
TextSplits load_text(std::string_view spec, std::uint64_t seed);

}  // namespace terse
