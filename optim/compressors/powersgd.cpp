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
// iterations=I repeats both phases, with the Q of one as the start of the next: 2 I phases, and the
// vectors in the last. The result comes closer to the best of rank r (subspace iteration).
// min_rate=R leaves a matrix as it is unless I r (n + m) R < n m: with R = 2 and I = 1 that is the
// rule of PyTorch's hook and of the authors' package. For first steps without compression put
// `+warmup:steps=` behind. alternate is another method: powersgd_alternate.cpp.
//
// All workers compute the same P from the same sum, so the result is the one of the mean matrix. A
// column of P that depends on the others is dropped (zero), and its column of Q is drawn anew for
// the next step; so is a Q that is zero or not finite, which would otherwise stay so for ever.
//
// Payload: 4 I r (n + m) bytes for each matrix and 4 n for each vector. Time: O(I r n m), O(I n
// r^2). Source: Vogels, Karimireddy, Jaggi, arXiv 1905.13727, algorithm 1. The dropping and
// redrawing of columns are ours: the plain Gram-Schmidt with an epsilon fails on matrices of lower
// rank.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/powersgd.hpp"
#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

class PowerSgd final : public LinearCompressor {
 public:
  PowerSgd(std::uint16_t number, const PowerSgdOptions& options)
      : number_(number), options_(options) {}

  std::string spec() const override {
    return fmt::format("powersgd:rank={},alternate=false,warm={},iterations={},min_rate={}",
                       options_.rank, options_.warm, options_.iterations, options_.min_rate);
  }
  Traits traits(std::uint64_t) const override {
    return {.phases = 2 * options_.iterations, .linear = true, .self_contained = false};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  bool encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual, Packet& up) override;
  void settle(std::span<const GradView> residual) override;
  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> shape) override;
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const override;
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;
  void serialize(Archive& archive) override { q_.serialize(archive, "powersgd.q"); }

 private:
  bool compressed(const GradView& view) const {
    const auto factors = static_cast<double>(options_.iterations * options_.rank) *
                         static_cast<double>(view.rows + view.cols);
    return powersgd::compressed(view, factors, options_.min_rate);
  }
  std::int64_t rank_of(const GradView& view) const {
    return std::min({options_.rank, view.rows, view.cols});
  }
  // Even phases send P, odd ones Q.
  static bool sends_p(int phase) { return phase % 2 == 0; }
  bool is_last(int phase) const { return phase == 2 * options_.iterations - 1; }
  std::int64_t size_of_p(const GradView& view) const { return rank_of(view) * view.rows; }
  std::int64_t size_of_q(const GradView& view) const { return rank_of(view) * view.cols; }

  // Floats in a phase's payload.
  std::int64_t payload_size(int phase, std::span<const GradView> views) const;
  std::span<float> q_for(const Round& round, const GradView& view);
  PayloadWriter start(const Round& round, std::span<const GradView> grads, Packet& up) const {
    return start_packet(round, number_, grads.size(), payload_size(round.phase, grads), up);
  }
  // Fills the packet of a phase. Of P: one_p(matrix's number, its Q, where its P goes).
  template <class OneP>
  void write_p(const Round& round, std::span<const GradView> grads, Packet& up, OneP one_p);
  void write_q(const Round& round, std::span<const GradView> grads, Packet& up);
  void keep_q(const Round& round, const Packet& down, std::span<const GradView> shape);
  void reconstruct(const Round& round, const Packet& sum, std::span<const GradView> shape,
                   powersgd::Reconstruction& mean) const;

  std::uint16_t number_;
  PowerSgdOptions options_;
  TensorState q_;  // what the next iteration or step begins with
  TensorState p_;  // orthonormal, from the end of one phase until the next P

  // What a residual still holds of the last packet: P Q^T of its P and this Q.
  struct Owed {
    std::int64_t rows = 0, cols = 0;
    std::vector<float> q;  // empty: nothing
  };
  kernels::Factors factors(std::uint32_t id, const Owed& owed) const;
  std::map<std::uint32_t, Owed> owed_;
  SourcePerBucket<powersgd::Reconstruction> means_;
};

std::int64_t PowerSgd::payload_size(int phase, std::span<const GradView> views) const {
  std::int64_t floats = 0;
  for (const auto& view : views) {
    if (compressed(view)) {
      floats += sends_p(phase) ? size_of_p(view) : size_of_q(view);
    } else if (is_last(phase)) {
      floats += std::ssize(view.data);
    }
  }
  return floats;
}

std::span<float> PowerSgd::q_for(const Round& round, const GradView& view) {
  const bool first = !q_.has(view.id);
  const auto q = q_.at(view.id, size_of_q(view));
  const bool cold = !options_.warm && round.phase == 0;
  if (first || cold) powersgd::draw(round, options_.warm ? 0 : round.step, view, q);
  return q;
}

template <class OneP>
void PowerSgd::write_p(const Round& round, std::span<const GradView> grads, Packet& up,
                       OneP one_p) {
  auto payload = start(round, grads, up);
  for (std::size_t t = 0; t < grads.size(); ++t) {
    if (!compressed(grads[t])) continue;
    one_p(t, q_for(round, grads[t]), payload.next_floats(size_of_p(grads[t])));
  }
}

// From the last matrix to the first: those that the phase of P has read last are still in a cache.
void PowerSgd::write_q(const Round& round, std::span<const GradView> grads, Packet& up) {
  start(round, grads, up);
  auto rest = up.floats();
  const auto last = [&rest](std::int64_t n) {
    const auto back = rest.last(static_cast<std::size_t>(n));
    rest = rest.first(rest.size() - back.size());
    return back;
  };
  for (auto t = grads.size(); t-- > 0 && is_last(round.phase);) {
    if (!compressed(grads[t])) kernels::copy_to(grads[t].data, last(std::ssize(grads[t].data)));
  }
  for (auto t = grads.size(); t-- > 0;) {
    const auto& grad = grads[t];
    if (!compressed(grad)) continue;
    kernels::transposed_times_p({grad.rows, grad.cols, grad.data}, rank_of(grad),
                                p_.existing(grad.id, size_of_p(grad)), last(size_of_q(grad)));
  }
}

void PowerSgd::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  if (!sends_p(round.phase)) return write_q(round, grads, up);
  write_p(round, grads, up, [&](std::size_t t, std::span<const float> q, std::span<float> p) {
    kernels::times_q({grads[t].rows, grads[t].cols, grads[t].data}, rank_of(grads[t]), q, p);
  });
}

// Gradients are added to a row right before its products, and what the last packet said of it is
// subtracted then: a pass less over all residuals.
bool PowerSgd::encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                                    std::span<const GradView> residual, Packet& up) {
  if (round.phase > 0) {
    encode(round, residual, up);
  } else {
    write_p(round, residual, up, [&](std::size_t t, std::span<const float> q, std::span<float> p) {
      const auto& e = residual[t];
      auto& owed = owed_[e.id];
      kernels::feed_and_times_q(grads[t].data, keep, factors(e.id, owed), e.data, e.rows, e.cols,
                                rank_of(e), q, p);
      owed.q.clear();
    });
    for (std::size_t t = 0; t < grads.size(); ++t) {
      if (!compressed(grads[t])) kernels::blend_to(grads[t].data, keep, 1, residual[t].data);
    }
  }
  if (!is_last(round.phase)) return true;
  PayloadReader payload(std::as_const(up).words());
  for (const auto& e : residual) {
    if (!compressed(e)) {
      kernels::subtract_from(e.data, e.data);  // said exactly; NaN stays
      continue;
    }
    const auto q = payload.next_floats(size_of_q(e));
    auto& owed = owed_[e.id];
    owed.rows = e.rows;
    owed.cols = e.cols;
    owed.q.assign(q.begin(), q.end());
  }
  return true;
}

void PowerSgd::settle(std::span<const GradView> residual) {
  for (const auto& e : residual) {
    auto& owed = owed_[e.id];
    if (owed.q.empty()) continue;
    kernels::subtract_outer_product(owed.rows, owed.cols, factors(e.id, owed), e.data);
    owed.q.clear();
  }
}

kernels::Factors PowerSgd::factors(std::uint32_t id, const Owed& owed) const {
  if (owed.q.empty()) return {};
  const auto rank = std::ssize(owed.q) / owed.cols;
  return {.p = p_.existing(id, rank * owed.rows), .q = owed.q};
}

void PowerSgd::advance(const Round& round, const Packet& down, std::span<const GradView> shape) {
  down.expect(number_, round.phase, shape.size());
  if (!sends_p(round.phase)) return keep_q(round, down, shape);
  PayloadReader payload(down, payload_size(round.phase, shape));
  for (const auto& view : shape) {
    if (!compressed(view)) continue;
    const auto p = p_.at(view.id, size_of_p(view));
    kernels::copy_to(payload.next_floats(p.size()), p);
    kernels::orthonormalise(view.rows, rank_of(view), p);
  }
}

const GradientSource& PowerSgd::decode(const Round& round, const Packet& down,
                                       std::span<const GradView> shape) {
  auto& mean = means_.at(round.first);
  reconstruct(round, down, shape, mean);
  keep_q(round, down, shape);
  return mean;
}

void PowerSgd::keep_q(const Round& round, const Packet& down, std::span<const GradView> shape) {
  PayloadReader payload(down, payload_size(round.phase, shape));
  for (const auto& view : shape) {
    if (!compressed(view)) continue;
    const auto q = q_.at(view.id, size_of_q(view));
    kernels::divide_to(payload.next_floats(q.size()), expect_weight(down), q);
    // A dropped column of P is zero, and so is Q's column M^T P then.
    powersgd::redraw_lost_columns(round, view, view.cols, q);
  }
}

void PowerSgd::said(const Round& round, const Packet& own, std::span<const GradView> out) const {
  powersgd::Reconstruction reconstruction;
  reconstruct(round, own, out, reconstruction);
  reconstruction.write_to(out);
}

void PowerSgd::reconstruct(const Round& round, const Packet& sum, std::span<const GradView> shape,
                           powersgd::Reconstruction& mean) const {
  sum.expect(number_, round.phase, shape.size());
  PayloadReader payload(sum, payload_size(round.phase, shape));
  std::int64_t all = 0;
  for (const auto& view : shape) all += compressed(view) ? size_of_q(view) : 0;
  PayloadReader qs(payload.next_words(all)), values(payload.rest());
  mean.reset(expect_weight(sum));
  for (const auto& view : shape) {
    if (compressed(view)) {
      mean.add_matrix(view, p_.existing(view.id, size_of_p(view)), qs.next_floats(size_of_q(view)));
    } else {
      mean.add(values.next_floats(view.data.size()));
    }
  }
}

std::vector<Field> PowerSgd::fields(const Round& round, const Packet& up,
                                    std::span<const GradView> shape) const {
  FieldList list(up);
  for (const auto& view : shape) {
    if (!compressed(view)) continue;
    if (sends_p(round.phase)) {
      list.floats("P of " + shape_text(view), size_of_p(view));
    } else {
      list.floats("Q of " + shape_text(view), size_of_q(view));
    }
  }
  for (const auto& view : shape) {
    if (is_last(round.phase) && !compressed(view)) {
      list.floats("values " + shape_text(view), std::ssize(view.data));
    }
  }
  return list.take();
}

}  // namespace

std::unique_ptr<Compressor> make_powersgd(std::uint16_t number, Options& options,
                                          std::unique_ptr<Compressor>) {
  PowerSgdOptions powersgd;
  powersgd.rank = options.integer("rank", powersgd.rank, 1, 1 << 16);
  powersgd.iterations = static_cast<int>(options.integer("iterations", 1, 1, 100));
  powersgd.min_rate = options.number("min_rate", 0, 0, std::numeric_limits<float>::max());
  const bool alternate = options.flag("alternate", false);
  if (alternate) {
    check<UsageError>(
        !options.has("warm"),
        "compressor powersgd: alternate starts from the last factor; it has no warm=");
    return make_alternating_powersgd(number, powersgd);
  }
  powersgd.warm = options.flag("warm", powersgd.warm);
  return std::make_unique<PowerSgd>(number, powersgd);
}

}  // namespace terse
