// State of a compressor: one array of floats for each tensor, kept by the tensor's id.
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
  // The tensor's array; it must have `size` values, and begins as zeros.
  std::span<float> at(std::uint32_t id, std::int64_t size);
  bool has(std::uint32_t id) const { return arrays_.contains(id); }

  // The same, of a tensor that must have one.
  std::span<const float> existing(std::uint32_t id, std::int64_t size) const;

  // Views with these ids and shapes over the arrays: state handed on in place of the gradients.
  std::vector<GradView> views(std::span<const GradView> like);

  // Views over all arrays, each a column.
  std::vector<GradView> all();

  void serialize(Archive& archive, const std::string& name);

 private:
  std::map<std::uint32_t, Buffer<float>> arrays_;
};

}  // namespace terse
