// The table of operators that the gradient checks, including those with wrong gradients, run on.
#pragma once

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/core/tensor.hpp"

namespace terse {

struct Case {
  std::string name;
  std::vector<Shape> shapes;  // of the inputs
  std::function<Tensor(std::span<const Tensor> inputs)> f;
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

std::vector<Case> all_cases();

// Random inputs of a case, the same in every call.
std::vector<Tensor> inputs_of(const Case& c);

}  // namespace terse
