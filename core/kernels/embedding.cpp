#include "tersegrad/core/kernels/embedding.hpp"

#include <algorithm>

#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {
namespace {

std::int64_t grain(std::int64_t elements_each) {
  return std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(1, elements_each));
}

}  // namespace

void fill(std::span<real> x, real value) {
  vectorized_for(static_cast<std::int64_t>(x.size()), kElementGrain,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::fill(x.data() + begin, x.data() + end, value);
                 });
}

void take_rows(std::int64_t d, std::span<const std::int32_t> ids, std::span<const real> table,
               std::span<real> y) {
  vectorized_for(static_cast<std::int64_t>(ids.size()), grain(d),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const real* row = table.data() + ids[static_cast<std::size_t>(i)] * d;
                     std::copy(row, row + d, y.data() + i * d);
                   }
                 });
}

// A task processes a stripe of columns and all rows in order, so repeated ids are added in order.
void add_rows(std::int64_t d, std::span<const std::int32_t> ids, std::span<const real> dy,
              std::span<real> table) {
  const auto n = static_cast<std::int64_t>(ids.size());
  const std::int64_t stripe = (grain(n) + 15) / 16 * 16;  // whole cache lines
  vectorized_for(d, stripe, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < n; ++i) {
      const real* from = dy.data() + i * d;
      real* to = table.data() + ids[static_cast<std::size_t>(i)] * d;
      for (std::int64_t j = begin; j < end; ++j) to[j] += from[j];
    }
  });
}

}  // namespace terse::kernels
