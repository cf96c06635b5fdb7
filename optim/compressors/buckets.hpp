// Cuts a tensor's values into contiguous buckets of the same length, the last one shorter. Each
// bucket has a scale of its own. These are QSGD's buckets, not the buckets of whole tensors that
// are exchanged together (comm/topology/bucket.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/kernels/draws.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

struct Buckets {
  std::int64_t size = 0;  // 0: each tensor is one bucket

  // The number of buckets of n values, and of all tensors together.
  std::int64_t of(std::int64_t n) const { return (n + width(n) - 1) / width(n); }
  std::int64_t of(std::span<const GradView> views) const {
    std::int64_t sum = 0;
    for (const auto& view : views) sum += of(std::ssize(view.data));
    return sum;
  }

  // The length of the longest bucket of any tensor.
  std::int64_t largest(std::span<const GradView> views) const {
    std::int64_t most = 0;
    for (const auto& view : views) {
      const auto n = std::ssize(view.data);
      most = std::max(most, std::min(n, width(n)));
    }
    return most;
  }

  // Calls body(bucket, begin, end) for every bucket of n values, in parallel and in any order.
  template <class Body>
  void for_each(std::int64_t n, Body body) const {
    const auto at_once = std::max<std::int64_t>(1, kernels::kGrain / width(n));
    parallel_for(of(n), at_once, [&](std::int64_t first, std::int64_t last) {
      for (auto b = first; b < last; ++b) body(b, b * width(n), std::min(n, (b + 1) * width(n)));
    });
  }

 private:
  std::int64_t width(std::int64_t n) const {
    return size > 0 ? size : std::max<std::int64_t>(n, 1);
  }
};

// The option bucket= of a compressor whose random draws come in blocks: a multiple of the block.
inline Buckets parse_buckets(std::string_view compressor, Options& options, std::int64_t fallback) {
  const auto size =
      options.integer("bucket", fallback, 0, std::numeric_limits<std::uint32_t>::max());
  check<UsageError>(
      size % kernels::Draws::kBlock == 0,
      "{}: expected a bucket that is a multiple of {}, or 0 for whole tensors; got {}", compressor,
      kernels::Draws::kBlock, size);
  return {size};
}

}  // namespace terse
