// 1-bit Adam: Adam's momentum is compressed once its variance is stable.
//
//   state:   m of every tensor, the same on every worker, m = 0 at first; v likewise
//   uncompressed step t = 1, 2, …, as `none`:
//     all:     mean = mean of all g_w;  m = beta1 m + (1 - beta1) mean
//              v = beta2 v + (1 - beta2) mean²;  s_t = |v|_1 / (1 - beta2^t)
//              compress from step t + 1 on if s_t ≥ ratio s_(t-Δ), where Δ = 1 / (1 - beta2), and
//              the learning rate is at most that of step t - Δ
//   compressed step:
//     worker:  m_w = beta1 m + (1 - beta1) g_w;  encode m_w in place of g_w
//     all:     m' = mean of the reconstructions of all m_w
//              mean = (m' - beta1 m) / (1 - beta1);  m = m'
//
// steps=N compresses from step N + 1 on instead, whatever the ratio.
//
// A coordinate whose gradient was zero in all uncompressed steps, and whose variance is therefore
// zero, does not move: its reconstruction is noise, which Adam would divide by zero.
//
// The mean is the gradient that changes the momentum to m', so the optimizer is Adam itself: the
// rule `adam` or `adamw`, from which beta1 and beta2 are taken (`attach`) and whose variance is
// frozen in the first compressed step. All workers decode the same means, so they do so in the same
// step. Without a rule, as in tests, beta1 is 0.9 and beta2 0.999. The inner stage should have
// error feedback in both directions. Bare, it is sign:scale=l2,scope=model+doublesqueeze:unsafe, the
// method of the paper. `unsafe` is needed because a sign with this scale is a contraction only where
// |x|_1² / (d |x|_2²) is above 1/4.
//
// Cost: 4 d bytes of state, and 4 d more for v until it is stable; the payload of `none` in the
// uncompressed steps.
// Source: Tang et al., arXiv 2102.02888, algorithm 1; the mask is in their published code. We have
// reconstructed that v is corrected for its bias, without which the ratio is large in the first
// steps, and how "after the warm-up of the learning rate" is decided.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

constexpr auto kUndecided = std::numeric_limits<std::uint64_t>::max();

// Decides from the mean gradients when the variance is stable.
class VarianceRatio {
 public:
  // Adds the mean of the next step, which was taken with the rate `lr`. Returns whether the
  // variance is stable.
  bool add(std::span<const GradView> mean, float lr, double ratio, double beta2) {
    const auto v = v_.views(mean);
    const auto keep = static_cast<float>(beta2), take = static_cast<float>(1 - beta2);
    double norm = 0;
    for (std::size_t t = 0; t < mean.size(); ++t) {
      for (std::size_t i = 0; i < mean[t].data.size(); ++i) {
        const float g = mean[t].data[i];
        v[t].data[i] = keep * v[t].data[i] + take * (g * g);
      }
      norm += kernels::norm1(v[t].data);
    }
    const auto delta = static_cast<std::size_t>(std::llround(1 / (1 - beta2)));
    const double s = norm / (1 - std::pow(beta2, static_cast<double>(++steps_)));
    bool stable = false;
    if (norms_.size() < delta) {
      norms_.push_back(s);
      rates_.push_back(lr);
    } else {
      const auto oldest = static_cast<std::size_t>((steps_ - 1) % delta);
      stable = s > 0 && s >= ratio * norms_[oldest] && lr <= rates_[oldest];
      norms_[oldest] = s;
      rates_[oldest] = lr;
    }
    return stable;
  }

  void serialize(Archive& archive) {
    archive.item("steps", steps_);
    archive.item("norms", norms_);
    archive.item("rates", rates_);
    v_.serialize(archive, "variance");
  }

 private:
  std::uint64_t steps_ = 0;
  TensorState v_;
  // s_t and the learning rate of the last Δ steps, that of step t at (t - 1) % Δ.
  std::vector<double> norms_;
  std::vector<float> rates_;
};

class OnebitAdam final : public Decorator {
 public:
  OnebitAdam(std::optional<std::uint64_t> steps, double ratio, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)),
        by_ratio_(!steps),
        ratio_(ratio),
        first_compressed_(steps.value_or(kUndecided)),
        none_(make_compressor("none")) {
    set_moments({.beta1 = 0.9, .beta2 = 0.999});
  }

  std::string spec() const override {
    return around(by_ratio_ ? fmt::format("onebit_adam:ratio={}", ratio_)
                            : fmt::format("onebit_adam:steps={}", first_compressed_));
  }
  Traits traits(std::uint64_t step) const override {
    auto traits = at(step).traits(step);
    traits.whole_model = by_ratio_ || inner_->traits(step).whole_model;
    traits.keeps_residual = inner_->traits(step).keeps_residual;
    traits.self_contained = false;
    return traits;
  }

  void attach(UpdateRule& rule) override {
    const auto moments = rule.moments();
    check<UsageError>(moments.has_value(),
                      "compressor onebit_adam: expected the optimizer adam or adamw, without "
                      "+clip; got {}",
                      rule.spec());
    check<UsageError>(first_compressed_ > 0,
                      "compressor onebit_adam: expected steps=1 or more; after steps=0 Adam has no "
                      "variance to divide by");
    rule_ = &rule;
    set_moments(*moments);
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    if (warming_up(round.step)) return none_->encode(round, grads, up);
    const auto momentum = copy_.like(grads);
    const auto m = momentum_.views(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) {
      kernels::copy_to(m[t].data, momentum[t].data);
      kernels::blend_to(grads[t].data, m_factor_, g_factor_, momentum[t].data);
    }
    inner_->encode(round, momentum, up);
  }

  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override {
    at(round.step).combine(round, shape, up, weights, down);
  }

  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override {
    at(round.step).advance(round, down, shape);
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    materialize(at(round.step).decode(round, down, scratch), scratch);
    const bool compressed = !warming_up(round.step);
    if (compressed && rule_ != nullptr) rule_->freeze_variance();
    const auto m = momentum_.views(scratch);
    for (std::size_t t = 0; t < scratch.size(); ++t) {
      if (compressed) as_gradient(m[t].data, scratch[t].data);
      kernels::blend_to(scratch[t].data, m_factor_, g_factor_, m[t].data);
    }
    if (!compressed && by_ratio_ && variance_.add(scratch, round.lr, ratio_, beta2_)) {
      first_compressed_ = round.step + 1;
      variance_ = {};  // frees its memory
    }
    return written(round, scratch);
  }

  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    at(round.step).reconstruct(round, own, out);
    if (warming_up(round.step)) return;
    for (const auto& view : out) {
      as_gradient(momentum_.existing(view.id, std::ssize(view.data)), view.data);
    }
  }

  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    return at(round.step).fields(round, up, shape);
  }

  void serialize(Archive& archive) override {
    momentum_.serialize(archive, "onebit_adam.momentum");
    if (by_ratio_) {
      archive.item("onebit_adam.first_compressed", first_compressed_);
      const auto scope = archive.scope("onebit_adam.ratio");
      variance_.serialize(archive);
    }
    inner_->serialize(archive);
  }

 private:
  bool warming_up(std::uint64_t step) const { return step < first_compressed_; }
  Compressor& at(std::uint64_t step) const { return warming_up(step) ? *none_ : *inner_; }

  void set_moments(const UpdateRule::Moments& moments) {
    m_factor_ = static_cast<float>(moments.beta1);
    g_factor_ = static_cast<float>(1 - moments.beta1);
    beta2_ = moments.beta2;
  }

  // next = the gradient that changes the momentum from m to `next`.
  void as_gradient(std::span<const float> m, std::span<float> next) const {
    kernels::add_scaled_to(m, -m_factor_, next);
    kernels::divide_to(next, g_factor_, next);
    for (std::size_t i = 0; i < next.size() && first_compressed_ > 0; ++i) {
      if (m[i] == 0) next[i] = 0;
    }
  }

  bool by_ratio_;  // steps= was not given
  double ratio_;
  std::uint64_t first_compressed_;  // step
  float m_factor_ = 0, g_factor_ = 0;
  double beta2_ = 0;
  UpdateRule* rule_ = nullptr;
  std::unique_ptr<Compressor> none_;
  VarianceRatio variance_;
  TensorState momentum_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_onebit_adam(std::uint16_t, Options& options,
                                             std::unique_ptr<Compressor> inner) {
  const bool by_steps = options.has("steps");
  check<UsageError>(!by_steps || !options.has("ratio"),
                    "compressor onebit_adam: expected steps= or ratio=; got both");
  const auto steps = options.integer("steps", 100, 0, std::numeric_limits<std::int64_t>::max());
  const auto ratio = options.number("ratio", 0.96, 0, 1);
  return std::make_unique<OnebitAdam>(
      by_steps ? std::optional(static_cast<std::uint64_t>(steps)) : std::nullopt, ratio,
      std::move(inner));
}

}  // namespace terse
