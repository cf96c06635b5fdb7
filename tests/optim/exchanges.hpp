// Helpers for tests of compressors.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {

inline MakeCompressor maker(const std::string& spec) {
  return [spec] { return make_compressor(spec); };
}

// A gradient of one one-dimensional tensor.
inline OwnedGradients vector_of(std::vector<float> values) {
  const auto n = std::ssize(values);
  return {{0, n, 1, std::move(values)}};
}

}  // namespace terse
