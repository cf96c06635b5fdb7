// All products process blocks of four rows of M, which share the loads of the thin factor. A sum
// has the same order in a block of rows as in a single row, so the results are bit-identical.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/optim/kernels/low_rank.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/optim/kernels/low_rank.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

constexpr hn::CappedTag<float, 1> kOne;

constexpr std::int64_t kBlock = 4;       // rows of M that are processed together
constexpr std::int64_t kGathered = 128;  // minimum rows of M in a piece of M^T P; r, if larger

template <std::int64_t kValue>
using Constant = std::integral_constant<std::int64_t, kValue>;

// Calls body(r) with r as a compile-time constant for the common ranks 1, 2 and 4.
template <class Body>
void with_rank(std::int64_t r, Body body) {
  switch (r) {
    case 1:
      return body(Constant<1>());
    case 2:
      return body(Constant<2>());
    case 4:
      return body(Constant<4>());
    default:
      return body(r);
  }
}

// Calls visit(rows, i) for the blocks of kBlock rows in [begin, end), and then for each remaining
// row.
template <class Visit>
HWY_INLINE void for_each_block(std::int64_t begin, std::int64_t end, Visit visit) {
  auto i = begin;
  for (; i + kBlock <= end; i += kBlock) visit(Constant<kBlock>(), i);
  for (; i < end; ++i) visit(Constant<1>(), i);
}

// Calls visit(d, j) for the columns [0, m); each call covers the columns from j on, one per lane of
// the tag d.
template <class Visit>
HWY_INLINE void for_each_vector(std::int64_t m, Visit visit) {
  std::int64_t j = 0;
  for (; j + kWidth <= m; j += kWidth) visit(kLanes, j);
  for (; j < m; ++j) visit(kOne, j);
}

// Calls body(rows, i) for all rows, in parallel pieces of about kGrain values of M.
template <class Body>
void for_all_rows(std::int64_t n, std::int64_t m, Body body) {
  const auto blocks = std::max<std::int64_t>(1, kGrain / (kBlock * m));
  parallel_for(n, blocks * kBlock,
               [&](std::int64_t begin, std::int64_t end) { for_each_block(begin, end, body); });
}

// Reads rows that are m values apart: x[k] holds the values of row k from column j on.
template <std::int64_t kRows>
auto reader(const float* from, std::int64_t m) {
  return [=](auto d, std::int64_t j, auto* x) {
    for (std::int64_t k = 0; k < kRows; ++k) x[k] = hn::LoadU(d, from + k * m + j);
  };
}

// kRows rows and kColumns columns of P = M Q; row k, column c is written to p[c n + k]. The sums
// stay in registers.
template <std::int64_t kRows, std::int64_t kColumns, class Read>
HWY_INLINE void times_columns(std::int64_t n, std::int64_t m, const float* q, Read read, float* p) {
  hn::Vec<decltype(kLanes)> sums[kRows][kColumns];
  hn::Vec<decltype(kOne)> rests[kRows][kColumns];
  for (auto& row : sums)
    for (auto& sum : row) sum = hn::Zero(kLanes);
  for (auto& row : rests)
    for (auto& sum : row) sum = hn::Zero(kOne);
  const auto add = [=](auto d, std::int64_t j, auto& to) {
    hn::Vec<decltype(d)> x[kRows];
    read(d, j, x);
    for (std::int64_t c = 0; c < kColumns; ++c) {
      const auto factor = hn::LoadU(d, q + c * m + j);
      for (std::int64_t k = 0; k < kRows; ++k) to[k][c] = hn::MulAdd(x[k], factor, to[k][c]);
    }
  };
  std::int64_t j = 0;
  for (; j + kWidth <= m; j += kWidth) add(kLanes, j, sums);
  for (; j < m; ++j) add(kOne, j, rests);
  for (std::int64_t c = 0; c < kColumns; ++c) {
    for (std::int64_t k = 0; k < kRows; ++k) {
      p[c * n + k] = hn::GetLane(hn::SumOfLanes(kLanes, sums[k][c])) + hn::GetLane(rests[k][c]);
    }
  }
}

// kRows rows of P = M Q, all columns. `first` reads the rows of M for the first group of columns;
// later groups read them from `matrix`.
template <std::int64_t kRows, class First>
void times_all_columns(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> q,
                       const float* matrix, First first, float* p) {
  std::int64_t c = 0;
  const auto some = [&](auto columns, auto read) {
    times_columns<kRows, columns>(n, m, q.data() + c * m, read, p + c * n);
    c += columns;
  };
  const auto next = [&](auto read) {
    if (r - c >= 4) {
      some(Constant<4>(), read);
    } else if (r - c >= 2) {
      some(Constant<2>(), read);
    } else {
      some(Constant<1>(), read);
    }
  };
  next(first);
  while (c < r) next(reader<kRows>(matrix, m));
}

// Values of the n x m product P Q^T: product[k] holds those of row i + k from column j on.
template <std::int64_t kRows, class D, class Rank>
HWY_INLINE void multiply_out(D d, std::int64_t n, std::int64_t m, Rank r, const Factors& factors,
                             std::int64_t i, std::int64_t j, hn::Vec<D>* product) {
  const float *p = factors.p.data(), *q = factors.q.data();  // may be null if r is 0
  for (std::int64_t k = 0; k < kRows; ++k) product[k] = hn::Zero(d);
  for (std::int64_t c = 0; c < r; ++c) {
    const auto column = hn::LoadU(d, q + c * m + j);
    for (std::int64_t k = 0; k < kRows; ++k) {
      product[k] = hn::MulAdd(hn::Set(d, p[c * n + i + k]), column, product[k]);
    }
  }
}

// out = update(d, out, P Q^T)
template <class Update>
void update_with_product(std::int64_t n, std::int64_t m, const Factors& factors,
                         std::span<float> out, Update update) {
  const auto r = std::ssize(factors.q) / m;
  for_all_rows(n, m, [=](auto rows, std::int64_t i) {
    float* to = out.data() + i * m;
    for_each_vector(m, [=](auto d, std::int64_t j) {
      hn::Vec<decltype(d)> product[rows];
      multiply_out<rows>(d, n, m, r, factors, i, j, product);
      for (std::int64_t k = 0; k < rows; ++k) {
        float* at = to + k * m + j;
        hn::StoreU(update(d, hn::LoadU(d, at), product[k]), d, at);
      }
    });
  });
}

// Adds the contribution of kRows rows of M to Q = M^T P.
template <std::int64_t kRows, class Rank>
HWY_INLINE void gather_rows(std::int64_t n, std::int64_t m, Rank r, const float* matrix,
                            const float* p, float* q) {
  for_each_vector(m, [=](auto d, std::int64_t j) {
    hn::Vec<decltype(d)> x[kRows];
    reader<kRows>(matrix, m)(d, j, x);
    for (std::int64_t c = 0; c < r; ++c) {
      auto sum = hn::LoadU(d, q + c * m + j);
      for (std::int64_t k = 0; k < kRows; ++k) {
        sum = hn::MulAdd(hn::Set(d, p[c * n + k]), x[k], sum);
      }
      hn::StoreU(sum, d, q + c * m + j);
    }
  });
}

}  // namespace

void times_q_at_level(const MatrixView& matrix, std::int64_t r, std::span<const float> q,
                      std::span<float> p) {
  const auto n = matrix.n, m = matrix.m;
  for_all_rows(n, m, [=](auto rows, std::int64_t i) {
    const float* from = matrix.data.data() + i * m;
    times_all_columns<rows>(n, m, r, q, from, reader<rows>(from, m), p.data() + i);
  });
}

void accumulate_and_times_q_at_level(std::span<const float> g, float keep, const Factors& pending,
                                     std::span<float> matrix, std::int64_t n, std::int64_t m,
                                     std::int64_t r, std::span<const float> q, std::span<float> p) {
  with_rank(std::ssize(pending.q) / m, [=](auto pending_rank) {
    for_all_rows(n, m, [=](auto rows, std::int64_t i) {
      const float* from = g.data() + i * m;
      float* to = matrix.data() + i * m;
      const auto accumulate = [=](auto d, std::int64_t j, auto* x) {
        multiply_out<rows>(d, n, m, pending_rank, pending, i, j, x);
        for (std::int64_t k = 0; k < rows; ++k) {
          const auto left = hn::Sub(hn::LoadU(d, to + k * m + j), x[k]);
          x[k] = hn::MulAdd(hn::Set(d, keep), left, hn::LoadU(d, from + k * m + j));
          hn::StoreU(x[k], d, to + k * m + j);
        }
      };
      times_all_columns<rows>(n, m, r, q, to, accumulate, p.data() + i);
    });
  });
}

// The pieces are ranges of rows of M, which are read contiguously; strips of columns would defeat
// the hardware prefetcher. Each piece but the first therefore needs its own r x m sum. These sums
// are added to the first in the order of the pieces, so the result does not depend on the number of
// threads.
void transposed_times_p_at_level(const MatrixView& matrix, std::int64_t r, std::span<const float> p,
                                 std::span<float> q) {
  const auto n = matrix.n, m = matrix.m;
  const auto grain = std::max(kGathered, r);  // at least r: the sums take no more memory than M
  const auto others = (n - 1) / grain;
  Buffer<float> sums(others * r * m);
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    float* sum = begin == 0 ? q.data() : sums.data() + (begin / grain - 1) * r * m;
    std::fill_n(sum, r * m, 0.0F);
    with_rank(r, [&](auto rank) {
      for_each_block(begin, end, [&](auto rows, std::int64_t i) {
        gather_rows<rows>(n, m, rank, matrix.data.data() + i * m, p.data() + i, sum);
      });
    });
  });
  for (std::int64_t k = 0; k < others; ++k) add_to(sums.span().subspan(k * r * m, r * m), q);
}

void outer_product_at_level(std::int64_t n, std::int64_t m, std::int64_t r,
                            std::span<const float> p, std::span<const float> q,
                            std::span<float> out) {
  update_with_product(n, m, {p.first(r * n), q.first(r * m)}, out,
                      [](auto, auto, auto product) { return product; });
}

void outer_product_piece_at_level(std::int64_t n, std::int64_t m, const Factors& factors,
                                  std::int64_t first, std::span<float> out) {
  with_rank(std::ssize(factors.q) / m, [&](auto rank) {
    while (!out.empty()) {
      const auto i = first / m, from = first % m, width = std::min(m - from, std::ssize(out));
      for_each_vector(width, [&](auto d, std::int64_t j) {
        hn::Vec<decltype(d)> product[1];
        multiply_out<1>(d, n, m, rank, factors, i, from + j, product);
        hn::StoreU(product[0], d, out.data() + j);
      });
      out = out.subspan(static_cast<std::size_t>(width));
      first += width;
    }
  });
}

void add_outer_product_at_level(std::int64_t n, std::int64_t m, std::int64_t r,
                                std::span<const float> p, std::span<const float> q, float scale,
                                std::span<float> out) {
  update_with_product(n, m, {p.first(r * n), q.first(r * m)}, out,
                      [scale](auto d, auto before, auto product) {
                        return hn::MulAdd(hn::Set(d, scale), product, before);
                      });
}

void subtract_outer_product_at_level(std::int64_t n, std::int64_t m, const Factors& factors,
                                     std::span<float> out) {
  update_with_product(n, m, factors, out,
                      [](auto, auto before, auto product) { return hn::Sub(before, product); });
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(times_q_at_level);
HWY_EXPORT(accumulate_and_times_q_at_level);
HWY_EXPORT(transposed_times_p_at_level);
HWY_EXPORT(outer_product_at_level);
HWY_EXPORT(outer_product_piece_at_level);
HWY_EXPORT(add_outer_product_at_level);
HWY_EXPORT(subtract_outer_product_at_level);

void times_q(const MatrixView& matrix, std::int64_t r, std::span<const float> q,
             std::span<float> p) {
  TERSE_DISPATCH(times_q_at_level)(matrix, r, q, p);
}

void accumulate_and_times_q(std::span<const float> g, float keep, const Factors& pending,
                            std::span<float> matrix, std::int64_t n, std::int64_t m, std::int64_t r,
                            std::span<const float> q, std::span<float> p) {
  TERSE_DISPATCH(accumulate_and_times_q_at_level)(g, keep, pending, matrix, n, m, r, q, p);
}

void transposed_times_p(const MatrixView& matrix, std::int64_t r, std::span<const float> p,
                        std::span<float> q) {
  TERSE_DISPATCH(transposed_times_p_at_level)(matrix, r, p, q);
}

void outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                   std::span<const float> q, std::span<float> out) {
  TERSE_DISPATCH(outer_product_at_level)(n, m, r, p, q, out);
}

void outer_product_piece(std::int64_t n, std::int64_t m, const Factors& factors, std::int64_t first,
                         std::span<float> out) {
  TERSE_DISPATCH(outer_product_piece_at_level)(n, m, factors, first, out);
}

void add_outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                       std::span<const float> q, float scale, std::span<float> out) {
  TERSE_DISPATCH(add_outer_product_at_level)(n, m, r, p, q, scale, out);
}

void subtract_outer_product(std::int64_t n, std::int64_t m, const Factors& factors,
                            std::span<float> out) {
  TERSE_DISPATCH(subtract_outer_product_at_level)(n, m, factors, out);
}

std::vector<std::int64_t> orthonormalise(std::int64_t n, std::int64_t r, std::span<float> p) {
  // A column whose norm shrinks below this fraction is a combination of the others, to rounding.
  constexpr double kDependent = 1e-5;
  const auto column = [&](std::int64_t c) { return p.subspan(c * n, n); };
  const auto norm = [&](std::int64_t c) { return std::sqrt(sum_of_squares(column(c))); };
  std::vector<std::int64_t> dropped;
  for (std::int64_t c = 0; c < r; ++c) {
    const double before = norm(c);
    // Columns are scaled to length 1 first, so that huge or tiny ones do not overflow or underflow.
    const auto rescale = [&](double length) {
      const auto values = column(c);
      vectorized([=] {
        for (float& value : values) value = static_cast<float>(double{value} / length);
      });
    };
    if (before > 0 && std::isfinite(before)) rescale(before);
    for (int pass = 0; pass < 2; ++pass) {  // two passes suffice for any angle between columns
      for (std::int64_t k = 0; k < c; ++k) {
        const auto overlap = static_cast<float>(dot(column(k), column(c)));
        add_scaled_to(column(k), -overlap, column(c));
      }
    }
    const double after = norm(c);
    if (before > 0 && std::isfinite(before) && after > kDependent) {
      rescale(after);
    } else {
      std::ranges::fill(column(c), 0.0F);
      dropped.push_back(c);
    }
  }
  return dropped;
}

void fill_normal(Philox random, std::span<float> columns) {
  for (float& value : columns) value = random.normal();
}

}  // namespace terse::kernels
#endif
