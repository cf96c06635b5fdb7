#include "tersegrad/optim/testing/law_inputs.hpp"

#include <fmt/format.h>

#include <functional>
#include <limits>

namespace terse {

std::vector<MatrixShape> law_shapes() {
  return {{"", 1, 1},  {"", 3, 40}, {"", 0, 1}, {"", 40, 3}, {"", 33, 1},
          {"", 12, 9}, {"", 1, 31}, {"", 7, 1}, {"", 2, 2},  {"", 101, 1}};
}

std::vector<LawInput> law_inputs() {
  std::vector<LawInput> inputs;
  const std::vector<MatrixShape> alone{{"", 0, 1},   {"", 1, 1},   {"", 7, 1},  {"", 8, 1},
                                       {"", 31, 1},  {"", 32, 1},  {"", 33, 1}, {"", 97, 1},
                                       {"", 2, 150}, {"", 150, 2}, {"", 1, 9},  {"", 16, 16}};
  inputs.push_back({"no tensors", {}});
  for (const auto& shape : alone) {
    inputs.push_back({fmt::format("{}x{}", shape.rows, shape.cols), normal_gradients({shape}, 3)});
  }

  using Limits = std::numeric_limits<float>;
  const auto add = [&inputs](const std::string& name, std::function<float(std::int64_t)> value) {
    inputs.push_back({name, make_gradients(law_shapes(), value)});
  };
  const auto among = [](std::int64_t i, float odd, float usual) {
    return i % 37 == 5 ? odd : usual;
  };
  add("zero", [](auto) { return 0.0F; });
  add("minus zero", [](auto) { return -0.0F; });
  add("constant", [](auto) { return -1.5F; });
  add("one-hot", [](auto i) { return i == 50 ? 2.0F : 0.0F; });
  add("denormal", [](auto i) { return i % 2 == 0 ? Limits::denorm_min() : -1e-40F; });
  add("huge", [](auto i) { return i % 3 == 0 ? 1e30F : -1e30F; });
  add("largest", [](auto i) { return i % 3 == 0 ? Limits::max() : Limits::lowest(); });
  add("some NaN", [&](auto i) { return among(i, Limits::quiet_NaN(), 0.5F); });
  add("some infinite", [&](auto i) { return among(i, -Limits::infinity(), 0.5F); });
  add("all NaN", [](auto) { return Limits::quiet_NaN(); });
  return inputs;
}

}  // namespace terse
