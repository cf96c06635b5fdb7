#include "claims.hpp"

#include <iterator>

namespace terse {

std::size_t coordinates(const Shapes& shapes) {
  std::size_t d = 0;
  for (const auto& shape : shapes) d += static_cast<std::size_t>(shape.rows * shape.cols);
  return d;
}

std::size_t plane_bytes(const Shapes& shapes) {
  return 4 * ((coordinates(shapes) + 31) / 32);
}

double squares(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += double{v} * v;
  return sum;
}

OwnedGradients zeros_like(const OwnedGradients& x) {
  return zero_gradients(shapes_of(x));
}

double weighted(const OwnedGradients& x, double (*part)(const OwnedTensor&, double), double ratio) {
  double lost = 0, all = 0;
  for (const auto& tensor : x) {
    if (tensor.values.empty()) continue;
    lost += squares(tensor.values) * part(tensor, ratio);
    all += squares(tensor.values);
  }
  return lost / all;
}

std::vector<ClaimedSpec> claimed_specs() {
  std::vector<ClaimedSpec> all;
  for (auto* family :
       {sign_claims, sparse_claims, low_rank_claims, quantised_claims, cast_claims}) {
    std::ranges::move(family(), std::back_inserter(all));
  }
  return all;
}

}  // namespace terse
