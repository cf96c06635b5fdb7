// PowerSGD in half-steps: each sends one factor, in the basis of the factor that was sent before.
//
//   state:       P (n x r) and Q (m x r) of every matrix M (n x m), r = min(rank, n, m); the first
//                factor that is needed is N(0, 1)
//   phase k of step t, with R = M in phase 0; if t I + k is even:
//     worker:    P = orthonormalise(P);  send R^T P;  R = R - P (R^T P)^T
//     exchange:  add
//     worker:    Q = sum / workers;  mean = mean + P Q^T
//   if it is odd: the same with P and Q, R and R^T exchanged
//   last phase:  also send the vectors uncompressed
//
// iterations=I is the number of half-steps in a step. Each half-step approximates the R that the
// one before has left, so their products add up and the rank of the mean grows. With one worker
// mean + R = M after any number of half-steps; with error feedback R is the residual.
//
// A half-step takes half of PowerSGD's bytes and time, and its basis is a step older. The authors'
// package does this. So does the code published under the label of the unbiased rank r, with
// orthonormal factors that are used again: a reconstruction from the sizes of its messages, which
// the paper's table has for that label.
//
// Columns that depend on others are dropped, and drawn anew for the next step (powersgd.hpp).
//
// Payload: 2 I r (n + m) bytes per matrix on average (4 r m or 4 r n per phase) and 4 n per vector.
// Time: O(I r n m).
// Source: the package of Vogels, Karimireddy, Jaggi, arXiv 1905.13727.
#include <fmt/format.h>

#include <algorithm>

#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/powersgd.hpp"
#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

struct Factors {
  TensorState p, q;
};

class AlternatingPowerSgd final : public LinearCompressor {
 public:
  AlternatingPowerSgd(std::uint16_t number, const PowerSgdOptions& options)
      : number_(number), options_(options), own_(options.iterations), mean_(options.iterations) {}

  std::string spec() const override {
    return fmt::format("powersgd:rank={},alternate=true,iterations={},min_rate={}", options_.rank,
                       options_.iterations, options_.min_rate);
  }
  // An orthogonal projection: no bound on the share that is kept holds for every matrix.
  bool is_contraction() const override { return true; }
  Traits traits(std::uint64_t) const override {
    return {.phases = options_.iterations, .linear = true, .self_contained = false};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override;
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    sum_phases(round, own, own_, out);
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;
  void serialize(Archive& archive) override {
    basis_.p.serialize(archive, "powersgd.p");
    basis_.q.serialize(archive, "powersgd.q");
  }

 private:
  bool compressed(const GradView& view) const {
    const auto floats = 0.5 * static_cast<double>(options_.iterations * options_.rank) *
                        static_cast<double>(view.rows + view.cols);
    return powersgd::compressed(view, floats, options_.min_rate);
  }
  std::int64_t rank_of(const GradView& view) const {
    return std::min({options_.rank, view.rows, view.cols});
  }
  std::int64_t size_of_p(const GradView& view) const { return rank_of(view) * view.rows; }
  std::int64_t size_of_q(const GradView& view) const { return rank_of(view) * view.cols; }
  bool is_last(const Round& round) const { return round.phase == options_.iterations - 1; }
  bool sends_q(const Round& round) const {
    const auto steps = round.step * static_cast<std::uint64_t>(options_.iterations);
    return (steps + static_cast<std::uint64_t>(round.phase)) % 2 == 0;
  }
  std::int64_t sent_size(const Round& round, const GradView& view) const {
    if (!compressed(view)) return is_last(round) ? std::ssize(view.data) : 0;
    return sends_q(round) ? size_of_q(view) : size_of_p(view);
  }
  std::int64_t payload_size(const Round& round, std::span<const GradView> views) const {
    std::int64_t floats = 0;
    for (const auto& view : views) floats += sent_size(round, view);
    return floats;
  }

  // The factor that all workers know, made orthonormal: P if Q is sent.
  std::span<float> known_factor(const Round& round, const GradView& view);
  void sum_phases(const Round& round, const Packet& sum, const std::vector<Factors>& earlier,
                  std::span<const GradView> out) const;

  std::uint16_t number_;
  PowerSgdOptions options_;
  Factors basis_;
  // The factors of this step, by phase: of this worker, and the mean of all.
  std::vector<Factors> own_, mean_;
  TensorState rest_;  // R
};

std::span<float> AlternatingPowerSgd::known_factor(const Round& round, const GradView& view) {
  auto& state = sends_q(round) ? basis_.p : basis_.q;
  const auto size = sends_q(round) ? size_of_p(view) : size_of_q(view);
  const bool first = !state.has(view.id);
  const auto factor = state.at(view.id, size);
  if (first) powersgd::draw(round, 0, view, factor);
  kernels::orthonormalise(sends_q(round) ? view.rows : view.cols, rank_of(view), factor);
  return factor;
}

void AlternatingPowerSgd::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  auto payload = start_packet(round, number_, grads.size(), payload_size(round, grads), up);
  for (const auto& grad : grads) {
    const auto sent = payload.next_floats(sent_size(round, grad));
    if (!compressed(grad)) {
      if (is_last(round)) kernels::copy_to(grad.data, sent);
      continue;
    }
    const auto r = rank_of(grad);
    const auto known = known_factor(round, grad);
    const auto rest = round.phase == 0 ? grad.data : rest_.at(grad.id, std::ssize(grad.data));
    const kernels::MatrixView matrix{grad.rows, grad.cols, rest};
    if (sends_q(round)) {
      kernels::transposed_times_p(matrix, r, known, sent);
    } else {
      kernels::times_q(matrix, r, known, sent);
    }
    auto& own = own_[round.phase];
    const auto p = own.p.at(grad.id, size_of_p(grad)), q = own.q.at(grad.id, size_of_q(grad));
    kernels::copy_to(sends_q(round) ? known : sent, p);
    kernels::copy_to(sends_q(round) ? sent : known, q);
    if (is_last(round)) continue;
    const auto left = rest_.at(grad.id, std::ssize(grad.data));
    if (round.phase == 0) kernels::copy_to(grad.data, left);
    kernels::add_outer_product(grad.rows, grad.cols, r, p, q, -1, left);
  }
}

const GradientSource& AlternatingPowerSgd::decode(const Round& round, const Packet& down,
                                                  std::span<const GradView> scratch) {
  sum_phases(round, down, mean_, scratch);
  advance(round, down, scratch);
  return written(round, scratch);
}

void AlternatingPowerSgd::advance(const Round& round, const Packet& down,
                                  std::span<const GradView> shape) {
  down.expect(number_, round.phase, shape.size());
  PayloadReader payload(down, payload_size(round, shape));
  const float workers = expect_contributors(down);
  for (const auto& view : shape) {
    const auto sum = payload.next_floats(sent_size(round, view));
    if (!compressed(view)) continue;
    const auto p = mean_[round.phase].p.at(view.id, size_of_p(view));
    const auto q = mean_[round.phase].q.at(view.id, size_of_q(view));
    const auto& own = own_[round.phase];
    kernels::copy_to(own.p.existing(view.id, size_of_p(view)), p);
    kernels::copy_to(own.q.existing(view.id, size_of_q(view)), q);
    kernels::divide_to(sum, workers, sends_q(round) ? q : p);
    auto& state = sends_q(round) ? basis_.q : basis_.p;
    const auto next = state.at(view.id, std::ssize(sum));
    kernels::copy_to(sends_q(round) ? q : p, next);
    powersgd::prepare_columns(round, view, sends_q(round) ? view.cols : view.rows, next);
  }
}

// out = sum of P Q^T over the earlier phases and this one, of which one factor is known and the
// other is in `sum`.
void AlternatingPowerSgd::sum_phases(const Round& round, const Packet& sum,
                                     const std::vector<Factors>& earlier,
                                     std::span<const GradView> out) const {
  sum.expect(number_, round.phase, out.size());
  PayloadReader payload(sum, payload_size(round, out));
  const float workers = expect_contributors(sum);
  std::vector<float> sent;
  for (const auto& view : out) {
    const auto part = payload.next_floats(sent_size(round, view));
    if (!compressed(view)) {
      kernels::divide_to(part, workers, view.data);
      continue;
    }
    sent.resize(part.size());
    kernels::divide_to(part, workers, sent);
    kernels::clear(view.data);
    const auto add = [&](std::span<const float> p, std::span<const float> q) {
      kernels::add_outer_product(view.rows, view.cols, rank_of(view), p, q, 1, view.data);
    };
    for (int phase = 0; phase < round.phase; ++phase) {
      add(earlier[phase].p.existing(view.id, size_of_p(view)),
          earlier[phase].q.existing(view.id, size_of_q(view)));
    }
    const auto& known = own_[round.phase];
    if (sends_q(round)) {
      add(known.p.existing(view.id, size_of_p(view)), sent);
    } else {
      add(sent, known.q.existing(view.id, size_of_q(view)));
    }
  }
}

std::vector<Field> AlternatingPowerSgd::fields(const Round& round, const Packet& up,
                                               std::span<const GradView> shape) const {
  FieldList list(up);
  for (const auto& view : shape) {
    if (!compressed(view) && !is_last(round)) continue;
    const auto* name = !compressed(view) ? "values " : sends_q(round) ? "Q of " : "P of ";
    list.floats(name + shape_text(view), sent_size(round, view));
  }
  return list.take();
}

}  // namespace

std::unique_ptr<Compressor> make_alternating_powersgd(std::uint16_t number,
                                                      const PowerSgdOptions& options) {
  return std::make_unique<AlternatingPowerSgd>(number, options);
}

}  // namespace terse
