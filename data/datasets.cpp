#include "tersegrad/data/datasets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/cifar.hpp"
#include "tersegrad/data/image_folder.hpp"
#include "tersegrad/data/mnist.hpp"
#include "tersegrad/data/synthetic.hpp"
#include "tersegrad/data/synthetic_text.hpp"
#include "tersegrad/data/text.hpp"

namespace terse {
namespace {

constexpr DatasetEntry kDatasets[] = {
    {"cifar10", "path=DIR[,train=N,test=N] photographs, 3x32x32, 10 classes; the binary version",
     load_cifar10},
    {"fashion-mnist",
     "[path=DIR,train=N,test=N,channels=1] clothes, 28x28, 10 classes; default: the files of "
     "Debian's package dataset-fashion-mnist",
     load_fashion_mnist},
    {"images",
     "path=DIR[,size=32,channels=3,test=0.1] PNG and JPEG files, one folder for each class",
     load_image_folder},
    {"mnist", "path=DIR[,train=N,test=N,channels=1] handwritten digits, 28x28, 10 classes",
     load_mnist},
    {"synthetic",
     "[classes=10,size=28,channels=1,train=6000,test=1000,noise=1] generated, no files",
     load_synthetic},
};

constexpr TextEntry kTexts[] = {
    {"kjv",
     "[level=word|char,seq=30,vocab=N,path=FILE] King James Bible; scripts/kjv creates the file",
     load_kjv},
    {"synthetic-text",
     "[vocab=32,order=1,branching=4,length=40000,seq=30] drawn from a Markov chain, no files; "
     "the lowest possible perplexity is `branching`",
     load_synthetic_text},
    {"text",
     "path=FILE|DIR or train=FILE,valid=FILE,test=FILE[,level=word|char,prose,seq=30,vocab=N] "
     "WikiText, PTB or any text",
     load_text_files},
};

template <class Entry>
const Entry* find(std::span<const Entry> table, std::string_view name) {
  const auto entry =
      std::find_if(table.begin(), table.end(), [&](const auto& e) { return e.name == name; });
  return entry == table.end() ? nullptr : &*entry;
}

template <class Entry>
std::vector<std::string> names(std::span<const Entry> table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

// Throws the error for a `name` that is not in the table of the `expected` kind ("images"): it is
// either in the other table or in none.
template <class Expected, class Other>
[[noreturn]] void refuse(std::string_view name, std::string_view expected,
                         std::span<const Expected> table, std::string_view other,
                         std::span<const Other> others) {
  auto known = names(table);
  if (find(others, name) != nullptr) {
    throw UsageError(fmt::format("data '{}': expected {} ({}); got {}", name, expected,
                                 fmt::join(known, ", "), other));
  }
  const auto more = names(others);
  known.insert(known.end(), more.begin(), more.end());
  throw UsageError(unknown_name("data", name, std::move(known)));
}

}  // namespace

std::span<const DatasetEntry> dataset_table() {
  return kDatasets;
}
std::span<const TextEntry> text_table() {
  return kTexts;
}

std::string dataset_help() {
  std::string help;
  const auto add = [&](const auto& table) {
    for (const auto& entry : table) help += fmt::format("{}  {}\n", entry.name, entry.help);
  };
  add(dataset_table());
  help +=
      "any images  [valid=N,crop=0,flip] valid: the last N training images, as many of each class, "
      "for validation; crop, flip: random shifts of at most crop pixels and random flips, in "
      "training\n";
  add(text_table());
  return help;
}

bool is_text(std::string_view spec) {
  return find(text_table(), parse_stage("data", spec).name) != nullptr;
}

DatasetSplits load_dataset(std::string_view spec, std::uint64_t seed) {
  const Stage stage = parse_stage("data", spec);
  const auto* entry = find(dataset_table(), stage.name);
  if (entry == nullptr) refuse(stage.name, "images", dataset_table(), "text", text_table());
  Options options("data", stage);
  const auto augmentation = read_augmentation(options, seed);
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  const auto valid = options.integer("valid", 0, 1, kMost);
  auto splits = entry->load(options, seed);
  check<UsageError>(augmentation.crop < std::min(splits.train.height, splits.train.width),
                    "data '{}': crop must be below the size of the images; got {} and {}x{}",
                    stage.name, augmentation.crop, splits.train.height, splits.train.width);
  if (valid > 0) splits.valid = hold_out(splits.train, valid);
  splits.train.augmentation = augmentation;
  return splits;
}

TextSplits load_text(std::string_view spec, std::uint64_t seed) {
  const Stage stage = parse_stage("data", spec);
  const auto* entry = find(text_table(), stage.name);
  if (entry == nullptr) refuse(stage.name, "text", text_table(), "images", dataset_table());
  Options options("data", stage);
  return entry->load(options, seed);
}

}  // namespace terse
