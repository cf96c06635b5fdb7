// All parameters of a model in one flat buffer of values and one of gradients.
//
// Optimizers, compressors, collectives and checkpoints work on spans of these buffers. Each
// parameter has a stable id (its position), a name, a shape and a matrix view (rows, columns): rows
// is its first dimension, columns the product of the others.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/core/tensor.hpp"

namespace terse {

class Archive;

struct ParameterInfo {
  std::uint32_t id;
  std::string name;
  Shape shape;
  std::int64_t offset, numel;  // position and size in the flat buffers
  std::int64_t rows, cols;     // the matrix view; a one-dimensional parameter has one column
  std::int64_t kernel;         // product of the dimensions from the third on
};

class ParameterBuffer {
 public:
  struct Named {
    std::string name;
    Tensor tensor;  // a leaf
  };

  // Moves the parameters into one buffer, in the given order. Every existing handle to a parameter
  // then refers to the buffer, and its gradient is accumulated in the second buffer.
  explicit ParameterBuffer(std::span<const Named> parameters);

  std::int64_t numel() const { return values_.numel(); }
  std::span<const ParameterInfo> infos() const { return infos_; }
  std::vector<std::string> names() const;  // by id
  std::span<real> values() { return values_.data_mut(); }
  std::span<const real> values() const { return values_.data(); }
  // The gradients accumulated since zero_grad, zero for parameters that no backward pass has
  // reached.
  std::span<real> gradients();
  void zero_grad();

  // The values, one array for each parameter, by its name in the scope "model".
  void serialize(Archive& archive);

  // The id of the parameter whose values hold the first element of `tensor`; empty if `tensor` has
  // no elements or lies outside the buffer. O(log n) for n parameters.
  std::optional<std::uint32_t> id_of(const Tensor& tensor) const;

 private:
  std::vector<ParameterInfo> infos_;
  std::vector<Tensor> parameters_;
  Tensor values_, gradients_;
};

}  // namespace terse
