#include "tersegrad/core/shape.hpp"

#include <fmt/format.h>

#include "tersegrad/core/error.hpp"

namespace terse {

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  check(dims.size() <= kMaxRank, "shape: expected at most {} dimensions; got {}", kMaxRank,
        dims.size());
  std::copy(dims.begin(), dims.end(), dims_.begin());
  for (const auto d : dims)
    check(d >= 0, "shape: no dimension may be negative; got {}", to_string());
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (const auto d : *this) n *= d;
  return n;
}

Shape Shape::with(int dim, std::int64_t size) const {
  internal_check(dim >= 0 && dim < rank_, "shape: {} has no dimension {}", to_string(), dim);
  Shape result = *this;
  result.dims_[static_cast<std::size_t>(dim)] = size;
  return result;
}

Shape Shape::without(int dim) const {
  internal_check(dim >= 0 && dim < rank_, "shape: {} has no dimension {}", to_string(), dim);
  Shape result;
  for (int i = 0; i < rank_; ++i) {
    if (i != dim) result.dims_[static_cast<std::size_t>(result.rank_++)] = (*this)[i];
  }
  return result;
}

std::string Shape::to_string() const {
  return fmt::format("({})", fmt::join(begin(), end(), ", "));
}

}  // namespace terse
