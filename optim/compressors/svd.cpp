// SVD: the best approximation of rank r of each worker's matrix.
//
//   worker w:  M_w = sum of s_c u_c v_c^T, s descending             for each matrix (n x m)
//              send s_c u_c and v_c for c < r                       r = min(rank, n, m)
//              send the vectors uncompressed
//   exchange:  every worker receives all packets and their weights
//   worker:    mean = sum over w of weight_w sum over c of s_c u_c v_c^T
//
// |C(M) - M|^2 is the sum of the other s_c^2: at most (1 - r / min(n, m)) |M|^2, and no matrix of
// rank r comes closer. But the mean of W matrices of rank r has rank W r, so packets cannot be
// added on the way as PowerSGD's can, and is not the best approximation of the mean matrix:
// powersgd:rank=r,warm=false,min_rate=0 with several iterations approaches that one. A matrix with
// a NaN or infinity is sent as NaN.
//
// Payload: 4 r (n + m) bytes per matrix, 4 n per vector.
// Time: O(n m min(n, m)), LAPACK's.
// Source: Eckart and Young, 1936.
#include <fmt/format.h>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/svd.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

class SvdCompressor final : public GatherCompressor {
 public:
  SvdCompressor(std::uint16_t number, std::int64_t rank) : GatherCompressor(number), rank_(rank) {}

  std::string spec() const override { return fmt::format("svd:rank={}", rank_); }
  bool codes_vectors() const override { return false; }
  bool is_contraction() const override { return true; }
  // The largest of min(n, m) squared singular values are at least their mean.
  std::optional<double> contraction(std::uint64_t, std::span<const GradView> shape) const override {
    double share = 1;
    for (const auto& view : shape) {
      const auto most = static_cast<double>(std::min(view.rows, view.cols));
      if (is_matrix(view)) share = std::min(share, static_cast<double>(rank_of(view)) / most);
    }
    return share;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    PayloadWriter payload(start(round, grads, size(grads), up));
    std::vector<std::span<float>> parts;
    for (const auto& grad : grads) parts.push_back(payload.next_floats(size({&grad, 1})));
    parallel_for(std::ssize(grads), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) factor(grads[t], parts[t]);
    });
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    PayloadReader in(payload, size(out));
    for (const auto& view : out) {
      if (!is_matrix(view)) {
        kernels::add_scaled_to(in.next_floats(view.data.size()), weight, view.data);
        continue;
      }
      const auto r = rank_of(view);
      const auto us = in.next_floats(r * view.rows), v = in.next_floats(r * view.cols);
      kernels::add_outer_product(view.rows, view.cols, r, us, v, weight, view.data);
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    for (const auto& view : shape) {
      if (is_matrix(view)) {
        list.floats("U S of " + shape_text(view), rank_of(view) * view.rows);
        list.floats("V of " + shape_text(view), rank_of(view) * view.cols);
      } else {
        list.floats("values " + shape_text(view), std::ssize(view.data));
      }
    }
    return list.take();
  }

 private:
  std::int64_t rank_of(const GradView& view) const {
    return std::min({rank_, view.rows, view.cols});
  }
  std::int64_t size(std::span<const GradView> views) const {
    std::int64_t floats = 0;
    for (const auto& view : views) {
      floats += is_matrix(view) ? rank_of(view) * (view.rows + view.cols) : std::ssize(view.data);
    }
    return floats;
  }
  // Writes s_c u_c and v_c of a matrix, or a vector uncompressed.
  void factor(const GradView& grad, std::span<float> to) const {
    if (!is_matrix(grad)) return kernels::copy_to(grad.data, to);
    const auto found = kernels::svd({grad.rows, grad.cols, grad.data});
    for (std::int64_t c = 0; c < rank_of(grad); ++c) {
      const auto u = std::span(found.u).subspan(c * grad.rows, grad.rows);
      kernels::scale_to(u, found.s[c], to.subspan(c * grad.rows, grad.rows));
    }
    const auto v = to.subspan(rank_of(grad) * grad.rows);
    kernels::copy_to(std::span(found.v).first(v.size()), v);
  }

  std::int64_t rank_;
};

}  // namespace

std::unique_ptr<Compressor> make_svd(std::uint16_t number, Options& options,
                                     std::unique_ptr<Compressor>) {
  return std::make_unique<SvdCompressor>(number, options.integer("rank", 2, 1, 1 << 16));
}

}  // namespace terse
