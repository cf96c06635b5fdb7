// The option scope=: a norm is that of each tensor by itself, or that of the whole model.
#pragma once

#include <array>
#include <string_view>

#include "tersegrad/core/spec.hpp"

namespace terse {

enum class Scope { tensor, model };

inline std::string_view to_string(Scope scope) {
  return scope == Scope::model ? "model" : "tensor";
}

inline Scope parse_scope(Options& options, std::string_view fallback) {
  constexpr std::array<std::string_view, 2> kScopes{"tensor", "model"};
  return options.choice("scope", fallback, kScopes) == "model" ? Scope::model : Scope::tensor;
}

}  // namespace terse
