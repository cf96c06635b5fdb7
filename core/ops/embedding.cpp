#include "tersegrad/core/kernels/embedding.hpp"

#include <algorithm>
#include <memory>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {

// y[i] = weight[ids[i]]; dweight[v] = sum of dy[i] over all i with ids[i] = v, kept as n rows.
Tensor embedding(const Tensor& weight, std::span<const std::int32_t> ids) {
  check(weight.rank() == 2, "embedding: expected weight (V, D); got {}",
        weight.shape().to_string());
  const std::int64_t v = weight.dim(0), d = weight.dim(1);
  const auto n = static_cast<std::int64_t>(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    check(ids[i] >= 0 && ids[i] < v, "embedding: an id must be in [0, {}); id {} is {}", v, i,
          ids[i]);
  }
  Tensor y = Tensor::empty({n, d});
  kernels::take_rows(d, ids, weight.data(), y.data_mut());
  if (!grad_enabled() || !weight.requires_grad()) return y;
  const auto kept = std::make_shared<Buffer<std::int32_t>>(n);
  std::ranges::copy(ids, kept->data());
  return record("embedding", y, {weight}, [kept, shape = weight.shape()](const Tensor& dy) {
    return Gradients{Gradient::rows(shape, kept->span(), dy)};
  });
}

}  // namespace terse
