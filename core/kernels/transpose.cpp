#include "core/kernels/transpose.hpp"

#include <hwy/highway.h>

#include <algorithm>

namespace terse::kernels {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::FixedTag<float, 4> kFour;
using Four = hn::Vec<decltype(kFour)>;
constexpr hn::CappedTag<float, 8> kWide;  // 8 where vectors are as wide, else 4
constexpr std::int64_t kWideRows = hn::MaxLanes(kWide);

// In each 128 bits: two neighbours of `a`, then the same two of `b`.
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

// Four elements of a row, and in the upper half, if there is one, those of the row four below.
HWY_INLINE auto load_wide(const float* from, std::int64_t step) {
  if constexpr (kWideRows == 8) {
    return hn::Combine(kWide, hn::LoadU(kFour, from + 4 * step), hn::LoadU(kFour, from));
  } else {
    return hn::LoadU(kWide, from);
  }
}

// A whole block of kWideRows rows and 4 columns: as one of 4x4, in each 128 bits.
HWY_INLINE void transpose_wide(const float* from, std::int64_t from_step, float* to,
                               std::int64_t to_step) {
  const auto a = load_wide(from, from_step), b = load_wide(from + from_step, from_step);
  const auto c = load_wide(from + 2 * from_step, from_step);
  const auto d = load_wide(from + 3 * from_step, from_step);
  const auto ab = hn::InterleaveLower(kWide, a, b), ab_upper = hn::InterleaveUpper(kWide, a, b);
  const auto cd = hn::InterleaveLower(kWide, c, d), cd_upper = hn::InterleaveUpper(kWide, c, d);
  hn::StoreU(low_pairs(kWide, ab, cd), kWide, to);
  hn::StoreU(high_pairs(kWide, ab, cd), kWide, to + to_step);
  hn::StoreU(low_pairs(kWide, ab_upper, cd_upper), kWide, to + 2 * to_step);
  hn::StoreU(high_pairs(kWide, ab_upper, cd_upper), kWide, to + 3 * to_step);
}

// A block of 4x4, of which `rows` are read (the others are zero) and `columns` are written.
void transpose_block(std::int64_t rows, std::int64_t columns, const float* from,
                     std::int64_t from_step, float* to, std::int64_t to_step) {
  const Four zero = hn::Zero(kFour);
  const Four a = hn::LoadU(kFour, from);
  const Four b = rows > 1 ? hn::LoadU(kFour, from + from_step) : zero;
  const Four c = rows > 2 ? hn::LoadU(kFour, from + 2 * from_step) : zero;
  const Four d = rows > 3 ? hn::LoadU(kFour, from + 3 * from_step) : zero;
  const Four ab = hn::InterleaveLower(kFour, a, b), ab_upper = hn::InterleaveUpper(kFour, a, b);
  const Four cd = hn::InterleaveLower(kFour, c, d), cd_upper = hn::InterleaveUpper(kFour, c, d);
  hn::StoreU(low_pairs(kFour, ab, cd), kFour, to);
  if (columns > 1) hn::StoreU(high_pairs(kFour, ab, cd), kFour, to + to_step);
  if (columns > 2) hn::StoreU(low_pairs(kFour, ab_upper, cd_upper), kFour, to + 2 * to_step);
  if (columns > 3) hn::StoreU(high_pairs(kFour, ab_upper, cd_upper), kFour, to + 3 * to_step);
}

}  // namespace

void transpose(const Transposed& size, const float* from, std::int64_t from_step, float* to,
               std::int64_t to_step) {
  // How far whole blocks reach; the rest is moved one by one.
  const std::int64_t rows = (std::min(size.writable, size.rows + 3) / 4) * 4;
  const std::int64_t columns = (std::min(size.readable, size.columns + 3) / 4) * 4;
  const std::int64_t whole_rows = size.rows / kWideRows * kWideRows;
  const std::int64_t whole_columns = size.columns / 4 * 4;
  for (std::int64_t i = 0; i < whole_rows; i += kWideRows) {
    for (std::int64_t j = 0; j < whole_columns; j += 4) {
      transpose_wide(from + i * from_step + j, from_step, to + j * to_step + i, to_step);
    }
  }
  for (std::int64_t i = 0; i < rows; i += 4) {
    for (std::int64_t j = i < whole_rows ? whole_columns : 0; j < columns; j += 4) {
      transpose_block(size.rows - i, size.columns - j, from + i * from_step + j, from_step,
                      to + j * to_step + i, to_step);
    }
  }
  for (std::int64_t i = 0; i < size.rows; ++i) {
    for (std::int64_t j = i < rows ? columns : 0; j < size.columns; ++j) {
      to[j * to_step + i] = from[i * from_step + j];
    }
  }
}

}  // namespace terse::kernels
