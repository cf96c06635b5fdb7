// What both forms of PowerSGD share: which tensors are factored, fresh columns, and the mean
// gradient as factors.
#include <cmath>
#include <utility>
#include <vector>

#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/powersgd.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse::powersgd {

bool compressed(const GradView& view, double floats, double min_rate) {
  return is_matrix(view) &&
         (min_rate == 0 || floats * min_rate < static_cast<double>(view.data.size()));
}

void draw(const Round& round, std::uint64_t step, const GradView& view, std::span<float> columns) {
  kernels::fill_normal(shared_stream(round, view.id, step), columns);
}

void prepare_columns(const Round& round, const GradView& view, std::int64_t length,
                     std::span<float> columns) {
  std::vector<float> fresh;
  const auto n = static_cast<std::size_t>(length);
  for (std::size_t at = 0; at < columns.size(); at += n) {
    const auto column = columns.subspan(at, n);
    const double norm = std::sqrt(kernels::sum_of_squares(column));
    if (norm > 0 && std::isfinite(norm)) {
      const double scale = std::ldexp(1.0, -std::ilogb(norm));  // may be too large for a float
      vectorized([=] {
        for (float& value : column) value = static_cast<float>(scale * value);
      });
      continue;
    }
    fresh.resize(columns.size());
    draw(round, round.step + 1, view, fresh);
    kernels::copy_to(std::span(fresh).subspan(at, n), column);
  }
}

void Reconstruction::reset(float workers) {
  workers_ = workers;
  begins_.resize(1);
}

Reconstruction::Tensor& Reconstruction::next(std::int64_t size) {
  const auto t = begins_.size() - 1;
  if (t == tensors_.size()) tensors_.emplace_back();
  begins_.push_back(begins_.back() + size);
  return tensors_[t];
}

void Reconstruction::add_matrix(const GradView& shape, std::span<const float> p,
                                std::span<const float> sum_of_q) {
  auto& tensor = next(shape.rows * shape.cols);
  tensor.rows = shape.rows;
  tensor.cols = shape.cols;
  tensor.p = p;
  tensor.q.resize(sum_of_q.size());
  kernels::divide_to(sum_of_q, workers_, tensor.q);
}

void Reconstruction::add(std::span<const float> sums) {
  auto& tensor = next(std::ssize(sums));
  tensor.p = {};
  tensor.sums = sums;
}

std::span<const float> Reconstruction::read(std::int64_t first, std::span<float> scratch) const {
  divide_among(begins_, first, scratch,
               [&](std::size_t t, std::int64_t offset, std::span<float> piece) {
                 const auto& [rows, cols, p, sums, q] = tensors_[t];
                 if (p.empty()) {
                   const auto from = static_cast<std::size_t>(offset);
                   return kernels::divide_to(sums.subspan(from, piece.size()), workers_, piece);
                 }
                 kernels::outer_product_piece(rows, cols, {.p = p, .q = q}, offset, piece);
               });
  return scratch;
}

void Reconstruction::write_to(std::span<const GradView> out) const {
  for (std::size_t t = 0; t < out.size(); ++t) {
    const auto& [rows, cols, p, sums, q] = tensors_[t];
    if (p.empty()) {
      kernels::divide_to(sums, workers_, out[t].data);
    } else {
      kernels::outer_product(rows, cols, std::ssize(q) / cols, p, q, out[t].data);
    }
  }
}

}  // namespace terse::powersgd
