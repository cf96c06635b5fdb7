// DIANA and EF21: a worker compresses the difference to an estimate that all workers keep.
//
//   state:   h_w of worker w, and h, the mean of all h_w, the same on every worker; all 0 at first
//   worker:  encode g_w - h_w, whose reconstruction is D_w
//   all:     mean = h + D,  D = mean of D_w                 decode
//            h_w = h_w + alpha D_w;  h = h + alpha D
//
//   diana  for an unbiased compressor with E|C(x) - x|^2 <= omega |x|^2: alpha <= 1 / (1 + omega).
//          alpha=auto is that bound, for each tensor by the variance that C declares for it. A
//          larger alpha may let h_w diverge; a run warns of it.
//          As h_w approaches the gradient of f_w at the minimiser, the difference falls to zero,
//          and with it the compressor's noise. DIANA converges linearly on strongly convex problems
//          whose workers disagree, where the compressor alone stalls. Bare `diana` has the
//          quantiser of the paper, ternary values in blocks, with the largest magnitude as the
//          scale of a block.
//   ef21   for a contraction: alpha = 1, so the mean is the new h. It replaces error feedback.
//
// If the number of workers changes, h is no longer the mean of all h_w: all start from 0 again.
//
// Cost: 8 d bytes of state, three passes. The packet does not grow. A packet can only be decoded
// after all earlier ones.
// Source: Mishchenko et al., arXiv 1901.09269, algorithm 1 (DIANA; without its momentum); Richtárik
// et al., arXiv 2106.05203, algorithm 2 (EF21; here the first packet is compressed too).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

// 1 / (1 + omega): DIANA's bound on alpha for tensor t of a bucket, or for all of them together if
// C needs the whole model, e.g. for one norm. 0 if C declares no variance.
double largest_alpha(const Compressor& c, std::uint64_t step, std::span<const GradView> bucket,
                     std::size_t t) {
  const bool together = c.traits(step).whole_model;
  const auto omega = c.variance(step, together ? bucket : bucket.subspan(t, 1));
  return omega ? 1 / (1 + *omega) : 0;
}

class Difference : public Decorator {
 public:
  // Without alpha, alpha = 1 / (1 + omega) for each tensor; `inner` must then declare its variance.
  Difference(std::optional<double> alpha, std::string stage, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), alpha_(alpha), stage_(std::move(stage)) {}

  std::string spec() const override { return around(stage_); }
  Traits traits(std::uint64_t step) const override {
    auto traits = inner_->traits(step);
    traits.self_contained = false;
    traits.keeps_residual = true;
    return traits;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    if (workers_ != round.workers) begin_anew(round.workers);
    const auto difference = copy_.like(grads);
    const auto own = own_.views(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) {
      kernels::copy_to(grads[t].data, difference[t].data);
      kernels::subtract_from(own[t].data, difference[t].data);
    }
    inner_->encode(round, difference, up);
    if (!last_phase(round)) return;
    // D_w is added to h_w when the step is decoded, because `reconstruct` still needs the old h_w.
    inner_->reconstruct(round, up, own_difference_.views(grads));
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    materialize(inner_->decode(round, down, scratch), scratch);
    const auto h = mean_.views(scratch), own = own_.views(scratch);
    const auto own_difference = own_difference_.views(scratch);
    for (std::size_t t = 0; t < scratch.size(); ++t) {
      const auto alpha =
          static_cast<float>(alpha_.value_or(largest_alpha(*inner_, round.step, scratch, t)));
      kernels::step_estimate(own[t].data, alpha, own_difference[t].data);
      kernels::step_estimate(h[t].data, alpha, scratch[t].data);
    }
    return written(round, scratch);
  }

  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    inner_->reconstruct(round, own, out);
    for (const auto& view : out) {
      if (own_.has(view.id))
        kernels::add_to(own_.existing(view.id, std::ssize(view.data)), view.data);
    }
  }

  void serialize(Archive& archive) override {
    archive.item("difference.workers", workers_);
    own_.serialize(archive, "difference.own");
    mean_.serialize(archive, "difference.mean");
    inner_->serialize(archive);
  }

 protected:
  std::optional<double> alpha_;

 private:
  void begin_anew(std::uint32_t workers) {
    if (workers_ != 0) {
      own_ = TensorState();
      mean_ = TensorState();
    }
    workers_ = workers;
  }

  std::string stage_;
  TensorState own_, mean_;      // h_w and h
  TensorState own_difference_;  // D_w, from encode to decode: no state
  std::uint32_t workers_ = 0;   // the number of workers whose mean h is; 0: not known yet
  BucketCopy copy_;
};

class Diana final : public Difference {
 public:
  Diana(std::optional<double> alpha, std::unique_ptr<Compressor> inner)
      : Difference(alpha, alpha ? fmt::format("diana:alpha={}", *alpha) : "diana:alpha=auto",
                   std::move(inner)) {}

  std::vector<Remark> remarks(std::uint64_t step, std::span<const GradView> shape) const override {
    auto remarks = inner_->remarks(step, shape);
    double least = 1, most = 0;  // 1 / (1 + omega) of the tensors
    for (std::size_t t = 0; t < shape.size(); ++t) {
      if (shape[t].data.empty()) continue;
      const double bound = largest_alpha(*inner_, step, shape, t);
      least = std::min(least, bound);
      most = std::max(most, bound);
    }
    if (!alpha_) {
      remarks.push_back({fmt::format("diana: alpha = 1 / (1 + omega) = {:.3g}{}", least,
                                     most > least ? fmt::format(" to {:.3g}", most) : "")});
    } else if (!inner_->variance(step, {})) {
      remarks.push_back({fmt::format("diana: expected an unbiased compressor that declares its "
                                     "variance; got {}: the estimates may not converge",
                                     inner_->spec()),
                         true});
    } else if (*alpha_ > least) {
      remarks.push_back({fmt::format("diana: alpha = {} exceeds 1 / (1 + omega) = {:.3g}, with the "
                                     "variance omega = {:.4g} of {}: the estimates may diverge; "
                                     "write alpha=auto",
                                     *alpha_, least, 1 / least - 1, inner_->spec()),
                         true});
    }
    return remarks;
  }
};

}  // namespace

std::unique_ptr<Compressor> make_diana(std::uint16_t, Options& options,
                                       std::unique_ptr<Compressor> inner) {
  if (options.text("alpha", "auto") != "auto") {
    return std::make_unique<Diana>(options.number("alpha", 0, 0, 1), std::move(inner));
  }
  check<UsageError>(inner->variance(0, {}).has_value(),
                    "diana: expected an unbiased compressor that declares its variance, because "
                    "alpha=auto is 1 / (1 + omega); got {}; take e.g. terngrad:bucket=512",
                    inner->spec());
  return std::make_unique<Diana>(std::nullopt, std::move(inner));
}

std::unique_ptr<Compressor> make_ef21(std::uint16_t, Options& options,
                                      std::unique_ptr<Compressor> inner) {
  const bool unsafe = unsafe_or_contraction("ef21", options, *inner);
  return std::make_unique<Difference>(1, unsafe ? "ef21:unsafe=true" : "ef21", std::move(inner));
}

}  // namespace terse
