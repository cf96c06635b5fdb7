// State of a compressor: one array of floats per tensor, keyed by the tensor's id.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

class TensorState {
 public:
  // The array of tensor `id`. The first call creates it with `size` zeros; later calls throw Error
  // if `size` differs.
  std::span<float> at(std::uint32_t id, std::int64_t size);
  bool has(std::uint32_t id) const { return arrays_.contains(id); }

  // The array of tensor `id`, which must exist and have `size` values. Throws Error otherwise.
  std::span<const float> existing(std::uint32_t id, std::int64_t size) const;

  // Views over the arrays with the ids and shapes of `like`, which an inner compressor can be given
  // in place of the gradients. Arrays that do not exist yet are created.
  std::vector<GradView> views(std::span<const GradView> like);

  // Views over all arrays in the order of their ids, each as a matrix with one column.
  std::vector<GradView> all();

  // Copies the arrays of these tensors to `to`; zeros of tensors that have none.
  void copy_to(std::span<const GradView> to) const;

  // Saves, loads or hashes all arrays, as items of the scope `name`: the ids, and an array per
  // tensor.
  void serialize(Archive& archive, const std::string& name);

 private:
  std::map<std::uint32_t, Buffer<float>> arrays_;
};

}  // namespace terse
