#include "core/kernels/transpose.hpp"

#include <hwy/highway.h>

#include <algorithm>

namespace terse::kernels {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::FixedTag<float, 4> kFour;
using Four = hn::Vec<decltype(kFour)>;

// Two neighbours of `a`, then the same two of `b`.
Four low_pairs(Four a, Four b) {
  const hn::FixedTag<std::uint64_t, 2> pairs;
  return hn::BitCast(kFour,
                     hn::InterleaveLower(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b)));
}
Four high_pairs(Four a, Four b) {
  const hn::FixedTag<std::uint64_t, 2> pairs;
  return hn::BitCast(kFour,
                     hn::InterleaveUpper(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b)));
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
  hn::StoreU(low_pairs(ab, cd), kFour, to);
  if (columns > 1) hn::StoreU(high_pairs(ab, cd), kFour, to + to_step);
  if (columns > 2) hn::StoreU(low_pairs(ab_upper, cd_upper), kFour, to + 2 * to_step);
  if (columns > 3) hn::StoreU(high_pairs(ab_upper, cd_upper), kFour, to + 3 * to_step);
}

}  // namespace

void transpose(const Transposed& size, const float* from, std::int64_t from_step, float* to,
               std::int64_t to_step) {
  // How far whole blocks reach; the rest is moved one by one.
  const std::int64_t rows = (std::min(size.writable, size.rows + 3) / 4) * 4;
  const std::int64_t columns = (std::min(size.readable, size.columns + 3) / 4) * 4;
  for (std::int64_t i = 0; i < rows; i += 4) {
    for (std::int64_t j = 0; j < columns; j += 4) {
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
