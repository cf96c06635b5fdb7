// How many of n coordinates a sparsifier keeps: a ratio, or a number.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/spec.hpp"

namespace terse {

struct Keep {
  double ratio = 0.01;
  std::int64_t k = 0;  // 0: the ratio holds

  static Keep parse(Options& options) {
    check<UsageError>(!(options.has("ratio") && options.has("k")),
                      "compressor: give ratio= or k=, not both");
    Keep keep;
    keep.ratio = options.number("ratio", keep.ratio, 0, 1);
    keep.k = options.integer("k", 0, 1, std::numeric_limits<std::uint32_t>::max());
    return keep;
  }

  // max(1, floor(ratio n)), or k if there are so many; nothing of nothing.
  std::int64_t of(std::int64_t n) const {
    const auto wanted = k > 0 ? k : static_cast<std::int64_t>(ratio * static_cast<double>(n));
    return std::min(n, std::max<std::int64_t>(1, wanted));
  }

  std::string text() const {
    return k > 0 ? fmt::format("k={}", k) : fmt::format("ratio={}", ratio);
  }
};

}  // namespace terse
