// PowerSGD: a low-rank approximation by one step of power iteration, which is linear.
//
//   state:     Q of every matrix M (n x m): m x r, r = min(rank, n, m), N(0, 1) at first
//   phase 0    worker:    send P = M Q
//              exchange:  add
//              worker:    P = orthonormalise(sum of P)
//   phase 1    worker:    send Q = M^T P, and the vectors uncompressed
//              exchange:  add
//              worker:    Q = sum of Q / workers;  mean = P Q^T
//                         keep Q for the next step (warm=false: draw a new one)
//
// orthonormalise keeps only the span of the columns of P, so the sum of P need not be divided by
// the number of workers.
//
// iterations=I repeats both phases: each repetition starts from the Q of the one before. There are
// 2 I phases, and the last one sends the vectors. The result converges to the best approximation of
// rank r of the mean matrix (subspace iteration). The paper's comparison with the best
// approximation is warm=false with several iterations; we take I = 4 and min_rate=0
// (reconstructed).
//
// min_rate=R leaves a matrix uncompressed unless I · rank · (n + m) · R < n m, where rank is the
// option, which may be larger than r. The default R = 1 factors a matrix only if this makes it
// smaller, R = 0 factors every matrix, and R = 2 with I = 1 is the rule of PyTorch's hook and of
// the authors' package. The decorator `+warmup:steps=N` after powersgd leaves the first N steps
// uncompressed. `alternate` is another method: powersgd_alternate.cpp.
//
// All workers compute the same P from the same sum, so the result is that of the mean matrix. A
// column of P that depends on the columns before it is dropped: it becomes zero. Its column of Q is
// drawn anew for the next step, and so is a column of Q that is zero or not finite: power iteration
// would never change a zero column. The other columns of the kept Q are multiplied by a power of
// two, which keeps the scale of the gradients out of the next P and changes no bit of the mean.
//
// Payload: 4 I r (n + m) bytes for each matrix and 4 n for each vector.
// Time: O(I r n m) for the products, O(I n r^2) for orthonormalise.
// Source: Vogels, Karimireddy, Jaggi, arXiv 1905.13727, algorithm 1. Dropping and redrawing columns
// is ours: Gram-Schmidt with an epsilon fails on matrices of lower rank.
#include "tersegrad/optim/compressors/powersgd.hpp"

#include <fmt/format.h>

#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

void PowerSgd::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  auto payload = start(round, grads, up);
  for (const auto& grad : grads) {
    if (!compressed(grad)) continue;
    const kernels::MatrixView m{grad.rows, grad.cols, grad.data};
    if (sends_p(round.phase)) {
      const auto p = payload.next_floats(size_of_p(grad));
      kernels::times_q(m, rank_of(grad), q_for(round, grad), p);
    } else {
      const auto q = payload.next_floats(size_of_q(grad));
      kernels::transposed_times_p(m, rank_of(grad), p_of(grad), q);
    }
  }
  if (!is_last(round.phase)) return;
  for (const auto& grad : grads) {
    if (!compressed(grad)) kernels::copy_to(grad.data, payload.next_floats(grad.data.size()));
  }
}

std::span<float> PowerSgd::q_for(const Round& round, const GradView& view) {
  const bool first = !q_.has(view.id);
  const auto q = q_.at(view.id, size_of_q(view));
  const bool cold = !options_.warm && round.phase == 0;
  if (first || cold) powersgd::draw(round, options_.warm ? 0 : round.step, view, q);
  return q;
}

void PowerSgd::advance(const Round& round, const Packet& down, std::span<const GradView> shape) {
  down.expect(number_, round.phase, shape.size());
  if (!sends_p(round.phase)) return keep_q(round, down, shape);
  PayloadReader sum_of_p(down, payload_size(round.phase, shape));
  for (const auto& view : shape) {
    if (!compressed(view)) continue;
    const auto p = p_.at(view.id, size_of_p(view));
    kernels::copy_to(sum_of_p.next_floats(p.size()), p);
    kernels::orthonormalise(view.rows, rank_of(view), p);
  }
}

const GradientSource& PowerSgd::decode(const Round& round, const Packet& down,
                                       std::span<const GradView> shape) {
  auto& mean = means_.at(round.first);
  read_reconstruction(round, down, shape, mean);
  // `mean` has a copy of Q of its own, so the columns that keep_q draws anew do not enter it.
  keep_q(round, down, shape);
  return mean;
}

// Sets `to` to P Q^T with Q = (sum of Q) / contributors: the mean gradient, or of the packet of one
// worker, its reconstruction.
void PowerSgd::read_reconstruction(const Round& round, const Packet& sum,
                                   std::span<const GradView> shape,
                                   powersgd::Reconstruction& to) const {
  sum.expect(number_, round.phase, shape.size());
  PayloadReader payload(sum, payload_size(round.phase, shape));
  std::int64_t all = 0;
  for (const auto& view : shape) all += compressed(view) ? size_of_q(view) : 0;
  PayloadReader sum_of_q(payload.next_words(all)), values(payload.rest());
  to.reset(expect_contributors(sum));
  for (const auto& view : shape) {
    if (compressed(view)) {
      to.add_matrix(view, p_of(view), sum_of_q.next_floats(size_of_q(view)));
    } else {
      to.add(values.next_floats(view.data.size()));
    }
  }
}

void PowerSgd::keep_q(const Round& round, const Packet& sum, std::span<const GradView> shape) {
  PayloadReader sum_of_q(sum, payload_size(round.phase, shape));
  for (const auto& view : shape) {
    if (!compressed(view)) continue;
    const auto q = q_.at(view.id, size_of_q(view));
    kernels::divide_to(sum_of_q.next_floats(q.size()), expect_contributors(sum), q);
    // If a column of P was dropped, the column of Q = M^T P is zero too.
    powersgd::prepare_columns(round, view, view.cols, q);
  }
}

void PowerSgd::reconstruct(const Round& round, const Packet& own,
                           std::span<const GradView> out) const {
  powersgd::Reconstruction reconstruction;
  read_reconstruction(round, own, out, reconstruction);
  reconstruction.write_to(out);
}

bool PowerSgd::compressed(const GradView& view) const {
  const auto floats = static_cast<double>(options_.iterations * options_.rank) *
                      static_cast<double>(view.rows + view.cols);
  return powersgd::compressed(view, floats, options_.min_rate);
}

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

std::vector<Field> PowerSgd::fields(const Round& round, const Packet& up,
                                    std::span<const GradView> shape) const {
  FieldList list(up);
  const bool p = sends_p(round.phase);
  for (const auto& view : shape) {
    if (!compressed(view)) continue;
    list.floats((p ? "P of " : "Q of ") + shape_text(view), p ? size_of_p(view) : size_of_q(view));
  }
  for (const auto& view : shape) {
    if (is_last(round.phase) && !compressed(view)) {
      list.floats("values " + shape_text(view), std::ssize(view.data));
    }
  }
  return list.take();
}

std::string PowerSgd::spec() const {
  return fmt::format("powersgd:rank={},alternate=false,warm={},iterations={},min_rate={}",
                     options_.rank, options_.warm, options_.iterations, options_.min_rate);
}

std::unique_ptr<Compressor> make_powersgd(std::uint16_t number, Options& options,
                                          std::unique_ptr<Compressor>) {
  PowerSgdOptions powersgd;
  powersgd.rank = options.integer("rank", powersgd.rank, 1, 1 << 16);
  powersgd.iterations = static_cast<int>(options.integer("iterations", 1, 1, 100));
  powersgd.min_rate =
      options.number("min_rate", powersgd.min_rate, 0, std::numeric_limits<float>::max());
  const bool alternate = options.flag("alternate", false);
  if (alternate) {
    check<UsageError>(!options.has("warm"),
                      "compressor powersgd: expected no warm= with alternate=true, which always "
                      "starts from the last factor");
    return make_alternating_powersgd(number, powersgd);
  }
  powersgd.warm = options.flag("warm", powersgd.warm);
  return std::make_unique<PowerSgd>(number, powersgd);
}

}  // namespace terse
