// All parameters of a model in one flat buffer: values, and gradients beside them.
//
// Optimizers, compressors, collectives and checkpoints work on spans of it. Each parameter has a
// stable id (its position), a name, a shape and a matrix view: rows = its first dimension, columns
// = the others multiplied.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/core/tensor.hpp"

namespace terse {

struct ParameterInfo {
  std::uint32_t id;
  std::string name;
  Shape shape;
  std::int64_t offset, numel;  // within the flat buffer
  std::int64_t rows, cols;     // the matrix view; a one-dimensional parameter has one column
  std::int64_t kernel;         // the third dimension and those behind it multiplied
};

class ParameterBuffer {
 public:
  struct Named {
    std::string name;
    Tensor tensor;  // a leaf
  };

  // Moves the parameters into one buffer, in this order; every handle to them follows.
  explicit ParameterBuffer(std::span<const Named> parameters);

  std::int64_t numel() const { return values_.numel(); }
  std::span<const ParameterInfo> infos() const { return infos_; }
  std::span<real> values() { return values_.data_mut(); }
  std::span<const real> values() const { return values_.data(); }
  // The gradients since zero_grad; zero for a parameter that no backward call has reached.
  std::span<real> gradients();
  void zero_grad();

  // The id of a parameter that has values; none for any other tensor.
  std::optional<std::uint32_t> id_of(const Tensor& tensor) const;

 private:
  std::vector<ParameterInfo> infos_;
  std::vector<Tensor> parameters_;
  Tensor values_, gradients_;
};

}  // namespace terse
