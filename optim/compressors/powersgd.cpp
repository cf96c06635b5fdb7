// PowerSGD: a low-rank approximation by one step of power iteration, which is linear.
//
//   state:     Q of every matrix M (n x m): m x r, r = min(rank, n, m), N(0, 1) at first
//   phase 0    worker:    send P = M Q
//              exchange:  add
//              worker:    P = orthonormalise(sum of P)                    the scale is lost here
//   phase 1    worker:    send Q = M^T P, and tensors of one dimension as they are
//              exchange:  add
//              worker:    Q = sum of Q / workers;  mean = P Q^T
//                         keep Q for the next step (warm=false: draw a new one)
//
// All workers compute the same P from the same sum, so the result is the one of the mean matrix. A
// column of P that depends on the others is dropped (zero), and its column of Q is drawn anew for
// the next step; so is a Q that is zero or not finite, which would otherwise stay so for ever.
//
// Payload: 4 r (n + m) bytes for each matrix and 4 n for each vector. Time: O(r n m), O(n r^2).
// Source: Vogels, Karimireddy, Jaggi, arXiv 1905.13727, algorithm 1. The dropping and redrawing of
// columns are ours: the plain Gram-Schmidt with an epsilon fails on matrices of lower rank.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "optim/compressors/payload.hpp"
#include "optim/kernels/low_rank.hpp"
#include "optim/kernels/vector.hpp"
#include "optim/tensor_state.hpp"

namespace terse {
namespace {

class PowerSgd final : public LinearCompressor {
 public:
  PowerSgd(std::uint16_t number, std::int64_t rank, bool warm)
      : number_(number), rank_(rank), warm_(warm) {}

  std::string spec() const override {
    return fmt::format("powersgd:rank={},warm={}", rank_, warm_);
  }
  Traits traits(std::uint64_t) const override {
    return {.phases = 2, .linear = true, .self_contained = false};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void decode(const Round& round, const Packet& down, std::span<const GradView> out) override;
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const override;
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;
  void serialize(Archive& archive) override { q_.serialize(archive, "powersgd.q"); }

 private:
  static bool is_matrix(const GradView& view) { return view.cols > 1; }
  std::int64_t rank_of(const GradView& view) const {
    return std::min({rank_, view.rows, view.cols});
  }
  std::int64_t size_of_p(const GradView& view) const { return rank_of(view) * view.rows; }
  std::int64_t size_of_q(const GradView& view) const { return rank_of(view) * view.cols; }

  // Floats in a phase's payload.
  std::int64_t payload_size(int phase, std::span<const GradView> views) const;
  std::span<float> q_for(const Round& round, const GradView& view);
  void draw_q(const Round& round, std::uint64_t step, const GradView& view,
              std::span<float> q) const;
  void redraw_lost_columns(const Round& round, const GradView& view, std::span<float> q);
  void reconstruct(const Round& round, const Packet& sum, std::span<const GradView> out) const;

  std::uint16_t number_;
  std::int64_t rank_;
  bool warm_;
  TensorState q_;  // what the next step begins with
  TensorState p_;  // orthonormal, from the end of phase 0 to the end of phase 1
};

std::int64_t PowerSgd::payload_size(int phase, std::span<const GradView> views) const {
  std::int64_t floats = 0;
  for (const auto& view : views) {
    if (is_matrix(view)) {
      floats += phase == 0 ? size_of_p(view) : size_of_q(view);
    } else if (phase == 1) {
      floats += std::ssize(view.data);
    }
  }
  return floats;
}

void PowerSgd::draw_q(const Round& round, std::uint64_t step, const GradView& view,
                      std::span<float> q) const {
  const Stream stream{
      .purpose = Purpose::compress, .step = static_cast<std::uint32_t>(step), .tensor = view.id};
  codec::fill_normal(Philox(round.seed, stream), q);
}

std::span<float> PowerSgd::q_for(const Round& round, const GradView& view) {
  const bool first = !q_.has(view.id);
  const auto q = q_.at(view.id, size_of_q(view));
  if (first || !warm_) draw_q(round, warm_ ? 0 : round.step, view, q);
  return q;
}

void PowerSgd::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  up.start(header_for(round, number_, PacketKind::up, grads.size()),
           static_cast<std::size_t>(payload_size(round.phase, grads)) * sizeof(float));
  auto rest = up.floats();
  const auto next = [&rest](std::int64_t n) {
    const auto front = rest.first(static_cast<std::size_t>(n));
    rest = rest.subspan(static_cast<std::size_t>(n));
    return front;
  };
  for (const auto& grad : grads) {
    if (!is_matrix(grad)) continue;
    const codec::MatrixView matrix{grad.rows, grad.cols, grad.data};
    if (round.phase == 0) {
      codec::times_q(matrix, rank_of(grad), q_for(round, grad), next(size_of_p(grad)));
    } else {
      codec::transposed_times_p(matrix, rank_of(grad), p_.existing(grad.id, size_of_p(grad)),
                                next(size_of_q(grad)));
    }
  }
  if (round.phase == 0) return;
  for (const auto& grad : grads) {
    if (!is_matrix(grad)) codec::copy_to(grad.data, next(std::ssize(grad.data)));
  }
}

void PowerSgd::decode(const Round& round, const Packet& down, std::span<const GradView> out) {
  if (round.phase == 1) {
    reconstruct(round, down, out);
    auto qs = down.floats();
    for (const auto& view : out) {
      if (!is_matrix(view)) continue;
      const auto size = static_cast<std::size_t>(size_of_q(view));
      codec::divide_to(qs.first(size), expect_weight(down), q_.at(view.id, size_of_q(view)));
      qs = qs.subspan(size);
      redraw_lost_columns(round, view, q_.at(view.id, size_of_q(view)));
    }
    return;
  }
  down.expect(number_, round.phase, out.size());
  auto ps = expect_floats(down, payload_size(0, out));
  for (const auto& view : out) {
    if (!is_matrix(view)) continue;
    const auto p = p_.at(view.id, size_of_p(view));
    codec::copy_to(ps.first(p.size()), p);
    codec::orthonormalise(view.rows, rank_of(view), p);
    ps = ps.subspan(p.size());
  }
}

// A dropped column of P is zero, and so is Q's column M^T P then.
void PowerSgd::redraw_lost_columns(const Round& round, const GradView& view, std::span<float> q) {
  std::vector<float> fresh;
  const auto m = static_cast<std::size_t>(view.cols);
  for (std::size_t at = 0; at < q.size(); at += m) {
    const auto column = q.subspan(at, m);
    const double size = codec::sum_of_squares(column);
    if (size > 0 && std::isfinite(size)) continue;
    fresh.resize(q.size());
    draw_q(round, round.step + 1, view, fresh);
    codec::copy_to(std::span(fresh).subspan(at, m), column);
  }
}

void PowerSgd::said(const Round& round, const Packet& own, std::span<const GradView> out) const {
  reconstruct(round, own, out);
}

// out = P Q^T / workers
void PowerSgd::reconstruct(const Round& round, const Packet& sum,
                           std::span<const GradView> out) const {
  sum.expect(number_, round.phase, out.size());
  auto rest = expect_floats(sum, payload_size(1, out));
  const float workers = expect_weight(sum);
  std::vector<float> q;
  for (const auto& view : out) {
    if (!is_matrix(view)) continue;
    q.resize(static_cast<std::size_t>(size_of_q(view)));
    codec::divide_to(rest.first(q.size()), workers, q);
    rest = rest.subspan(q.size());
    codec::outer_product(view.rows, view.cols, rank_of(view), p_.existing(view.id, size_of_p(view)),
                         q, view.data);
  }
  for (const auto& view : out) {
    if (is_matrix(view)) continue;
    codec::divide_to(rest.first(view.data.size()), workers, view.data);
    rest = rest.subspan(view.data.size());
  }
}

std::vector<Field> PowerSgd::fields(const Round& round, const Packet& up,
                                    std::span<const GradView> shape) const {
  FieldList list(up);
  for (const auto& view : shape) {
    if (!is_matrix(view)) continue;
    if (round.phase == 0) list.floats("P of " + shape_text(view), size_of_p(view));
    if (round.phase == 1) list.floats("Q of " + shape_text(view), size_of_q(view));
  }
  for (const auto& view : shape) {
    if (round.phase == 1 && !is_matrix(view)) {
      list.floats("values " + shape_text(view), std::ssize(view.data));
    }
  }
  return list.take();
}

}  // namespace

std::unique_ptr<Compressor> make_powersgd(std::uint16_t number, Options& options,
                                          std::unique_ptr<Compressor>) {
  const auto rank = options.integer("rank", 2, 1, 1 << 16);
  return std::make_unique<PowerSgd>(number, rank, options.flag("warm", true));
}

}  // namespace terse
