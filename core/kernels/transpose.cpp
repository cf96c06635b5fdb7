#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/transpose.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/transpose.hpp"

#include <algorithm>

#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

constexpr hn::FixedTag<float, 4> kFour;
constexpr hn::CappedTag<float, 8> kWide;  // 8 lanes, or 4 if vectors are narrower

// In each 128 bits: two adjacent elements of `a`, then the same two of `b`.
template <class D, class Vector>
HWY_INLINE Vector low_pairs(D d, Vector a, Vector b) {
  const hn::Repartition<std::uint64_t, D> pairs;
  return hn::BitCast(d, hn::InterleaveLower(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b)));
}
template <class D, class Vector>
HWY_INLINE Vector high_pairs(D d, Vector a, Vector b) {
  const hn::Repartition<std::uint64_t, D> pairs;
  return hn::BitCast(d, hn::InterleaveUpper(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b)));
}

// Four adjacent elements of a row; in the upper half, if D has 8 lanes, those of the
// row four below.
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const float* from, std::int64_t step) {
  if constexpr (hn::MaxLanes(D()) == 8) {
    return hn::Combine(d, hn::LoadU(kFour, from + 4 * step), hn::LoadU(kFour, from));
  } else {
    return hn::LoadU(d, from);
  }
}

// Transposes as many rows as D has lanes, and 4 columns: a block of 4x4 in each 128 bits.
template <class D>
HWY_INLINE void transpose_block(D d, const float* from, std::int64_t from_step, float* to,
                                std::int64_t to_step) {
  const auto row0 = load(d, from, from_step), row1 = load(d, from + from_step, from_step);
  const auto row2 = load(d, from + 2 * from_step, from_step);
  const auto row3 = load(d, from + 3 * from_step, from_step);
  const auto low01 = hn::InterleaveLower(d, row0, row1), low23 = hn::InterleaveLower(d, row2, row3);
  const auto high01 = hn::InterleaveUpper(d, row0, row1);
  const auto high23 = hn::InterleaveUpper(d, row2, row3);
  hn::StoreU(low_pairs(d, low01, low23), d, to);
  hn::StoreU(high_pairs(d, low01, low23), d, to + to_step);
  hn::StoreU(low_pairs(d, high01, high23), d, to + 2 * to_step);
  hn::StoreU(high_pairs(d, high01, high23), d, to + 3 * to_step);
}

// Calls visit(0), visit(size), … for blocks of [0, n). If n is not a multiple of `size`, the last
// block overlaps the one before.
template <class Visit>
HWY_INLINE void for_each_block(std::int64_t n, std::int64_t size, Visit visit) {
  std::int64_t i = 0;
  for (; i + size <= n; i += size) visit(i);
  if (i < n) visit(n - size);
}

// Requires at least one block. The inner loop runs along the rows of the matrix with the longer
// stride, so that few of its rows are in use at a time: rows far apart may all map to one set
// of the cache.
template <class D>
void transpose_blocks(D d, std::int64_t rows, std::int64_t columns, const float* from,
                      std::int64_t from_step, float* to, std::int64_t to_step) {
  constexpr std::int64_t kRows = hn::MaxLanes(D());
  const auto block = [&](std::int64_t i, std::int64_t j) {
    transpose_block(d, from + i * from_step + j, from_step, to + j * to_step + i, to_step);
  };
  if (from_step < to_step) {
    for_each_block(columns, 4, [&](std::int64_t j) {
      for_each_block(rows, kRows, [&](std::int64_t i) { block(i, j); });
    });
  } else {
    for_each_block(rows, kRows, [&](std::int64_t i) {
      for_each_block(columns, 4, [&](std::int64_t j) { block(i, j); });
    });
  }
}

}  // namespace

void transpose_at_level(std::int64_t rows, std::int64_t columns, const float* from,
                        std::int64_t from_step, float* to, std::int64_t to_step) {
  if (columns >= 4 && rows >= static_cast<std::int64_t>(hn::MaxLanes(kWide))) {
    transpose_blocks(kWide, rows, columns, from, from_step, to, to_step);
  } else if (columns >= 4 && rows >= 4) {
    transpose_blocks(kFour, rows, columns, from, from_step, to, to_step);
  } else {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) to[j * to_step + i] = from[i * from_step + j];
  }
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(transpose_at_level);
void transpose(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t from_step,
               float* to, std::int64_t to_step) {
  TERSE_DISPATCH(transpose_at_level)(rows, columns, from, from_step, to, to_step);
}

}  // namespace terse::kernels
#endif
