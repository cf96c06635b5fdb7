#include "data/datasets.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "data/mnist.hpp"
#include "data/synthetic.hpp"

namespace terse {
namespace {

constexpr DatasetEntry kDatasets[] = {
    {"fashion-mnist",
     "[path=DIR,train=N,test=N] clothes, 28x28, 10 classes; found where Debian's "
     "dataset-fashion-mnist puts it",
     load_fashion_mnist},
    {"mnist", "path=DIR[,train=N,test=N] handwritten digits, 28x28, 10 classes", load_mnist},
    {"synthetic", "[classes=10,size=28,channels=1,train=6000,test=1000,noise=1] drawn, no file",
     load_synthetic},
};

}  // namespace

std::span<const DatasetEntry> dataset_table() {
  return kDatasets;
}

DatasetSplits load_dataset(std::string_view spec, std::uint64_t seed) {
  const Stage stage = parse_stage("data", spec);
  const auto* entry = std::find_if(std::begin(kDatasets), std::end(kDatasets),
                                   [&](const auto& e) { return e.name == stage.name; });
  if (entry == std::end(kDatasets)) {
    std::vector<std::string> names;
    for (const auto& known : kDatasets) names.emplace_back(known.name);
    throw UsageError(unknown_name("data", stage.name, std::move(names)));
  }
  Options options("data", stage);
  return entry->load(options, seed);
}

}  // namespace terse
