#include "optim/kernels/low_rank.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/parallel.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::codec {
namespace {

constexpr std::int64_t kRows = 4;     // of M that one pass over a column of M^T P takes
constexpr std::int64_t kStrip = 512;  // columns of M in a piece of M^T P: 2 KB of each row

// Products of one row with `Columns` columns of m values at once, so that it is read once. Partial
// sums: GCC may not reorder one, but it vectorises many, and enough of them hide the latency.
template <std::int64_t Columns>
void dot_products(const float* row, const float* columns, std::int64_t m,
                  std::array<float, Columns>& sums) {
  constexpr std::int64_t kLanes = 64 / Columns;
  std::array<std::array<float, kLanes>, Columns> lanes{};
  std::int64_t j = 0;
  for (; j + kLanes <= m; j += kLanes) {
    for (std::int64_t c = 0; c < Columns; ++c) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[c][lane] += row[j + lane] * columns[c * m + j + lane];
      }
    }
  }
  for (std::int64_t c = 0; c < Columns; ++c) {
    sums[c] = 0;
    for (auto rest = j; rest < m; ++rest) sums[c] += row[rest] * columns[c * m + rest];
    for (const float lane : lanes[c]) sums[c] += lane;
  }
}

// Columns c … c + Columns - 1 of row i of P = M Q.
template <std::int64_t Columns>
void times_columns(const float* row, std::int64_t i, std::int64_t n, std::int64_t m, std::int64_t c,
                   std::span<const float> q, std::span<float> p) {
  std::array<float, Columns> sums;
  dot_products<Columns>(row, q.data() + c * m, m, sums);
  for (std::int64_t k = 0; k < Columns; ++k) p[(c + k) * n + i] = sums[k];
}

void times_all_columns(const float* row, std::int64_t i, std::int64_t n, std::int64_t m,
                       std::int64_t r, std::span<const float> q, std::span<float> p) {
  std::int64_t c = 0;
  for (; c + 4 <= r; c += 4) times_columns<4>(row, i, n, m, c, q, p);
  for (; c + 2 <= r; c += 2) times_columns<2>(row, i, n, m, c, q, p);
  for (; c < r; ++c) times_columns<1>(row, i, n, m, c, q, p);
}

// Pieces of about kGrain values of M.
std::int64_t rows_per_piece(std::int64_t m) {
  return std::max<std::int64_t>(1, kGrain / m);
}

// Rows [begin, end) of out += scale P Q^T.
void add_rows(std::int64_t begin, std::int64_t end, std::int64_t n, std::int64_t m, std::int64_t r,
              std::span<const float> p, std::span<const float> q, float scale,
              std::span<float> out) {
  for (std::int64_t i = begin; i < end; ++i) {
    float* row = out.data() + i * m;
    for (std::int64_t c = 0; c < r; ++c) {
      const float* column = q.data() + c * m;
      const float weight = scale * p[c * n + i];
      for (std::int64_t j = 0; j < m; ++j) row[j] += weight * column[j];
    }
  }
}

// body(first, said) for the parts of row i of P Q^T: said[j] is its value in column first + j.
template <class Body>
void for_each_part(std::int64_t i, std::int64_t n, std::int64_t m, const Factors& factors,
                   Body body) {
  constexpr std::int64_t kBlock = 512;
  const std::int64_t r = std::ssize(factors.q) / m;
  std::array<float, kBlock> said;
  for (std::int64_t first = 0; first < m; first += kBlock) {
    const auto width = std::min(kBlock, m - first);
    std::fill_n(said.begin(), width, 0.0F);
    for (std::int64_t c = 0; c < r; ++c) {
      const float* column = factors.q.data() + c * m + first;
      const float weight = factors.p[c * n + i];
      for (std::int64_t j = 0; j < width; ++j) said[j] += weight * column[j];
    }
    body(first, std::span<const float>(said).first(width));
  }
}

}  // namespace

void times_q(const MatrixView& matrix, std::int64_t r, std::span<const float> q,
             std::span<float> p) {
  parallel_for(matrix.n, rows_per_piece(matrix.m), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      times_all_columns(matrix.data.data() + i * matrix.m, i, matrix.n, matrix.m, r, q, p);
    }
  });
}

void feed_and_times_q(std::span<const float> g, float keep, const Factors& owed,
                      std::span<float> matrix, std::int64_t n, std::int64_t m, std::int64_t r,
                      std::span<const float> q, std::span<float> p) {
  parallel_for(n, rows_per_piece(m), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const float* from = g.data() + i * m;
      float* row = matrix.data() + i * m;
      if (owed.q.empty()) {
        for (std::int64_t j = 0; j < m; ++j) row[j] = keep * row[j] + from[j];
      } else {
        for_each_part(i, n, m, owed, [=](std::int64_t first, std::span<const float> said) {
          for (std::int64_t j = 0; j < std::ssize(said); ++j) {
            row[first + j] = keep * (row[first + j] - said[j]) + from[first + j];
          }
        });
      }
      times_all_columns(row, i, n, m, r, q, p);
    }
  });
}

void transposed_times_p(const MatrixView& matrix, std::int64_t r, std::span<const float> p,
                        std::span<float> q) {
  const auto n = matrix.n, m = matrix.m;
  parallel_for(m, kStrip, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = 0; c < r; ++c) std::fill_n(q.data() + c * m + begin, end - begin, 0.0F);
    std::int64_t i = 0;
    for (; i + kRows <= n; i += kRows) {
      const float* row = matrix.data.data() + i * m;
      for (std::int64_t c = 0; c < r; ++c) {
        float* column = q.data() + c * m;
        const std::array<float, kRows> w{p[c * n + i], p[c * n + i + 1], p[c * n + i + 2],
                                         p[c * n + i + 3]};
        for (std::int64_t j = begin; j < end; ++j) {
          column[j] +=
              (w[0] * row[j] + w[1] * row[m + j]) + (w[2] * row[2 * m + j] + w[3] * row[3 * m + j]);
        }
      }
    }
    for (; i < n; ++i) {
      const float* row = matrix.data.data() + i * m;
      for (std::int64_t c = 0; c < r; ++c) {
        float* column = q.data() + c * m;
        const float weight = p[c * n + i];
        for (std::int64_t j = begin; j < end; ++j) column[j] += weight * row[j];
      }
    }
  });
}

void outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                   std::span<const float> q, std::span<float> out) {
  parallel_for(n, rows_per_piece(m), [&](std::int64_t begin, std::int64_t end) {
    std::fill(out.begin() + begin * m, out.begin() + end * m, 0.0F);
    add_rows(begin, end, n, m, r, p, q, 1, out);
  });
}

void add_outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                       std::span<const float> q, float scale, std::span<float> out) {
  parallel_for(n, rows_per_piece(m), [&](std::int64_t begin, std::int64_t end) {
    add_rows(begin, end, n, m, r, p, q, scale, out);
  });
}

void subtract_outer_product(std::int64_t n, std::int64_t m, const Factors& factors,
                            std::span<float> out) {
  parallel_for(n, rows_per_piece(m), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      float* row = out.data() + i * m;
      for_each_part(i, n, m, factors, [row](std::int64_t first, std::span<const float> said) {
        for (std::int64_t j = 0; j < std::ssize(said); ++j) row[first + j] -= said[j];
      });
    }
  });
}

std::vector<std::int64_t> orthonormalise(std::int64_t n, std::int64_t r, std::span<float> p) {
  constexpr double kDependent = 1e-5;  // of a column's norm: what is left is rounding
  const auto column = [&](std::int64_t c) { return p.subspan(c * n, n); };
  const auto norm = [&](std::int64_t c) { return std::sqrt(sum_of_squares(column(c))); };
  std::vector<std::int64_t> dropped;
  for (std::int64_t c = 0; c < r; ++c) {
    const double before = norm(c);
    // Scaled to length 1 first, so that neither huge nor tiny columns leave the range of float.
    const auto rescale = [&](double length) {
      for (float& value : column(c)) value = static_cast<float>(double{value} / length);
    };
    if (before > 0 && std::isfinite(before)) rescale(before);
    for (int pass = 0; pass < 2; ++pass) {  // twice is enough, whatever the angle
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

}  // namespace terse::codec
