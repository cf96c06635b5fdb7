// What a norm is taken over: each tensor by itself, or the whole model.
#pragma once

#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "core/spec.hpp"
#include "optim/compressor.hpp"
#include "optim/kernels/vector.hpp"

namespace terse {

enum class Scope { tensor, model };

inline std::string_view to_string(Scope scope) {
  return scope == Scope::model ? "model" : "tensor";
}

inline Scope parse_scope(Options& options, std::string_view fallback) {
  constexpr std::array<std::string_view, 2> kScopes{"tensor", "model"};
  return options.choice("scope", fallback, kScopes) == "model" ? Scope::model : Scope::tensor;
}

// The largest |x_i|; NaN does not count.
inline double largest_magnitude(std::span<const float> x) {
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::abs(value));
  return largest;
}

}  // namespace terse
