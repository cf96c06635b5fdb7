#include "tersegrad/nn/weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <ostream>
#include <set>
#include <span>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/npz.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse::nn {
namespace {

constexpr std::string_view kRunningMean = "running_mean", kBatches = "num_batches_tracked";

// Parameters and buffers by name, in the order of visit().
std::vector<ParameterBuffer::Named> weights_of(Module& model) {
  auto all = parameters(model);
  for (auto& buffer : buffers(model)) all.push_back(std::move(buffer));
  return all;
}

// Second name of a parameter -> its first name.
std::map<std::string, std::string> second_names(Module& model) {
  struct Collect final : Visitor {
    void second_name(const std::string& name, const std::string& of) override { found[name] = of; }
    std::map<std::string, std::string> found;
  } collect;
  model.visit(collect);
  return std::move(collect.found);
}

// The name of the batch counter beside a running mean, or "" for other tensors.
std::string batch_counter(const std::string& name) {
  if (!name.ends_with(kRunningMean)) return "";
  return name.substr(0, name.size() - kRunningMean.size()) + std::string(kBatches);
}

template <class Stored>
void copy_as(std::span<const std::byte> stored, std::span<real> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored value{};
    std::memcpy(&value, stored.data() + i * sizeof value, sizeof value);
    values[i] = static_cast<real>(value);
  }
}

// Calls `use` with the arrays of a file: all weights, and the counters of batches.
void with_arrays(Module& model, FunctionRef<void(std::span<const ArrayToWrite>)> use) {
  const auto weights = weights_of(model);
  std::deque<std::vector<float>> values;  // a copy, in float whatever `real` is
  std::vector<ArrayToWrite> arrays;
  const std::int64_t no_batches = 0;
  for (const auto& [name, tensor] : weights) {
    const auto& own = values.emplace_back(tensor.data().begin(), tensor.data().end());
    arrays.push_back({name,
                      "F32",
                      {tensor.shape().begin(), tensor.shape().end()},
                      std::as_bytes(std::span(own))});
    if (const auto counter = batch_counter(name); !counter.empty()) {
      arrays.push_back({counter, "I64", {}, std::as_bytes(std::span(&no_batches, 1))});
    }
  }
  for (const auto& [name, first_name] : second_names(model)) {
    auto array = *std::ranges::find(arrays, first_name, &ArrayToWrite::name);
    array.name = name;
    arrays.push_back(std::move(array));
  }
  use(arrays);
}

}  // namespace

void save(Module& model, const std::filesystem::path& file) {
  with_arrays(model, [&](std::span<const ArrayToWrite> arrays) {
    write_file(file, [&](std::ostream& out) {
      write_safetensors(out, arrays, {{"format", "pt"}});
    });
  });
}

void save_npz(Module& model, const std::filesystem::path& file) {
  with_arrays(model, [&](std::span<const ArrayToWrite> arrays) { write_npz(file, arrays); });
}

NameDifference load(Module& model, const std::filesystem::path& file, NameCheck names) {
  const auto bytes = read_file(file);
  const Safetensors stored(fmt::format("'{}'", file.string()), bytes);
  auto weights = weights_of(model);

  NameDifference difference;
  std::set<std::string> known;
  auto arrays = stored.arrays();
  for (const auto& [name, first_name] : second_names(model)) {
    known.insert(name);
    const auto second = arrays.find(name);
    if (second == arrays.end()) continue;
    const auto [first, added] = arrays.emplace(first_name, second->second);
    check(added || std::ranges::equal(first->second.data, second->second.data),
          "{}: arrays {} and {}: expected equal values, because they are one tensor of the model",
          stored.name(), first_name, name);
  }
  for (const auto& [name, tensor] : weights) {
    known.insert(name);
    if (const auto counter = batch_counter(name); !counter.empty()) known.insert(counter);
    const auto found = arrays.find(name);
    if (found == arrays.end()) {
      difference.missing.push_back(name);
      continue;
    }
    const auto& array = found->second;
    check(std::ranges::equal(array.shape, tensor.shape()),
          "{}: array {}: expected shape ({}); got ({})", stored.name(), name,
          fmt::join(tensor.shape(), ", "), fmt::join(array.shape, ", "));
    check(array.type == "F32" || array.type == "F64",
          "{}: array {}: expected type F32 or F64; got {}", stored.name(), name, array.type);
  }
  for (const auto& [name, array] : stored.arrays()) {
    if (!known.contains(name)) difference.unexpected.push_back(name);
  }
  check(
      names == NameCheck::lenient || (difference.missing.empty() && difference.unexpected.empty()),
      "{}: expected the names of the model's tensors; missing: {}; unexpected: {}", stored.name(),
      difference.missing.empty() ? "none" : fmt::format("{}", fmt::join(difference.missing, ", ")),
      difference.unexpected.empty() ? "none"
                                    : fmt::format("{}", fmt::join(difference.unexpected, ", ")));

  for (auto& [name, tensor] : weights) {
    const auto found = arrays.find(name);
    if (found == arrays.end()) continue;
    const auto& [type, shape, data] = found->second;
    type == "F64" ? copy_as<double>(data, tensor.data_mut())
                  : copy_as<float>(data, tensor.data_mut());
  }
  return difference;
}

}  // namespace terse::nn
