// Deep gradient compression: momentum and accumulation inside a sparsifier.
//
//   state:     u, v of every tensor, zero at first
//   worker w:  g = min(1, clip / (sqrt(workers) |g|)) g     clip > 0: |g| of all tensors together
//              u = beta u + g
//              v = v + u                                    nesterov: v = v + beta u + g
//              I_w = the k largest |v_i|, or about as many: see below
//              send v_i for i in I_w, and set v_i = 0; masking: u_i = 0 too
//              of vectors and tensors with k = n, send the whole increment of v
//   exchange and decoding: as of every sparsifier, sparse.hpp
//
// The momentum is in the compressor: use it with plain `sgd`. The values that are not sent stay in
// v, so mass is kept as with error feedback: v before + u (or beta u + g) = sent + v after. With
// nesterov the paper's u is our beta u. In this form u is what `sgd:momentum=` keeps, and with one
// worker ratio=1 has the same bits as that rule. With several workers dgc has the mean of their
// momenta and the rule has the momentum of their mean; the two differ by rounding only.
//
//   sample=1     exactly the k largest
//   sample=0.01  threshold = the k-th largest of that part of the tensor (every hundredth value),
//                changed up to ten times by 1.3 or 0.8 while more than 1.3 k or less than 0.8 k
//                values reach it. It is never lowered after it was raised: the threshold of the
//                authors' code oscillates there. Of the values that reach it the k largest are
//                sent, or all if they are fewer.
//   warmup=N     more in the first N steps: ratio 1/4, 1/16, 1/64, 1/256, 1/1024 for N/5 steps each
//                (stages=paper), or ratio^(1/6), ratio^(2/6), … ratio^(5/6) (stages=exponential)
//
// Payload: 4 n bytes per tensor that is sent whole, 8 k per other tensor.
// State: 8 d bytes.
// Time: about three passes.
// Source: Lin, Han, Mao, Wang, Dally, arXiv 1712.01887; sampling, exponential stages and ceil(ratio
// n) follow the authors' code.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/keep.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/conservation.hpp"
#include "tersegrad/optim/kernels/power.hpp"
#include "tersegrad/optim/kernels/select.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

struct DgcOptions {
  double ratio = 0.001, beta = 0.9, sample = 0.01, clip = 0;
  bool nesterov = false, masking = true;
  std::int64_t warmup = 0;
  std::string stages = "paper";

  double ratio_at(std::uint64_t step) const {
    if (step >= static_cast<std::uint64_t>(warmup)) return ratio;
    const auto stage = 1 + static_cast<int>(5 * step / static_cast<std::uint64_t>(warmup));
    return stages == "paper" ? std::max(ratio, kernels::power(0.25, stage))
                             : kernels::power(ratio, stage / 6.0);
  }
};

class Dgc final : public SparseCompressor, public ConservingStage {
 public:
  Dgc(std::uint16_t number, DgcOptions options)
      : SparseCompressor(number), options_(std::move(options)) {}

  Traits traits(std::uint64_t) const override {
    return {.whole_model = options_.clip > 0, .keeps_residual = true};
  }
  // The input of the law is the increment of v.
  void add_up(const Round& round, std::span<const GradView> grads,
              std::span<const GradView> total) override;
  void copy_kept(std::span<const GradView> kept) override { sum_.copy_to(kept); }
  void serialize(Archive& archive) override {
    momentum_.serialize(archive, "dgc.u");
    sum_.serialize(archive, "dgc.v");
  }

 protected:
  std::string stage() const override {
    const auto& o = options_;
    return fmt::format(
        "dgc:ratio={},beta={},nesterov={},masking={},sample={},clip={},warmup={},stages={}",
        o.ratio, o.beta, o.nesterov, o.masking, o.sample, o.clip, o.warmup, o.stages);
  }
  std::string_view refuses_coder() const override {
    return "dgc would not keep the error of a coder in its accumulated sum; write topk+CODER+ef, "
           "which keeps it";
  }
  bool whole(const Round& round, const GradView& view) const override {
    return view.cols == 1 || kept(round, view) == std::ssize(view.data);
  }
  void choose(const Round& round, std::span<const GradView> grads, Entries& chosen) override;

 private:
  std::int64_t kept(const Round& round, const GradView& view) const {
    return ceil_of(options_.ratio_at(round.step), std::ssize(view.data));
  }
  float clipping(const Round& round, std::span<const GradView> grads) const;
  // Updates u and v. Of a tensor that is sent whole, writes the increment of v to step_ instead.
  void accumulate(const GradView& grad, float scale, bool is_whole);
  void select(const Round& round, const GradView& sum, std::uint32_t first, Entries& chosen);
  std::uint32_t sampled_threshold(const Round& round, std::uint32_t id, std::int64_t k) const;

  DgcOptions options_;
  TensorState momentum_, sum_;  // u and v
  // Scratch: no state.
  kernels::LargestSelector selector_;
  kernels::Found<std::uint32_t> found_;
  std::vector<std::uint32_t> magnitudes_, above_, above_magnitudes_, picked_;
  std::vector<float> clipped_;
  std::vector<float> step_;  // the increment of v of a tensor that is sent whole
};

float Dgc::clipping(const Round& round, std::span<const GradView> grads) const {
  if (options_.clip == 0) return 1;
  double squares = 0;
  for (const auto& grad : grads) squares += kernels::sum_of_squares(grad.data);
  const double most = options_.clip / std::sqrt(round.workers), norm = std::sqrt(squares);
  return norm > most ? static_cast<float>(most / norm) : 1.0F;
}

void Dgc::choose(const Round& round, std::span<const GradView> grads, Entries& chosen) {
  const float scale = clipping(round, grads);
  std::uint32_t first = 0;
  for (const auto& grad : grads) {
    const auto n = std::ssize(grad.data);
    const bool is_whole = whole(round, grad);
    accumulate(grad, scale, is_whole);
    if (is_whole) {
      for (std::uint32_t i = 0; i < n; ++i) chosen.add(first + i, step_[i]);
    } else {
      const auto u = momentum_.at(grad.id, n), v = sum_.at(grad.id, n);
      const auto begin = chosen.at.size();
      select(round, grad.with(v), first, chosen);
      for (auto entry = begin; entry < chosen.at.size(); ++entry) {
        const auto i = chosen.at[entry] - first;
        v[i] = 0;
        if (options_.masking) u[i] = 0;
      }
    }
    first += static_cast<std::uint32_t>(n);
  }
}

void Dgc::accumulate(const GradView& grad, float scale, bool is_whole) {
  const auto beta = static_cast<float>(options_.beta);
  const auto n = std::ssize(grad.data);
  const auto u = momentum_.at(grad.id, n);
  std::span<const float> g = grad.data;
  if (scale != 1) {
    clipped_.resize(g.size());
    kernels::scale_to(g, scale, clipped_);
    g = clipped_;
  }
  if (is_whole) step_.resize(g.size());
  const auto to = is_whole ? std::span(step_) : sum_.at(grad.id, n);
  vectorized_for(n, kernels::kGrain,
                 [=, u = u.data(), g = g.data(), to = to.data(), nesterov = options_.nesterov](
                     std::int64_t begin, std::int64_t end) {
                   for (auto i = begin; i < end; ++i) {
                     u[i] = beta * u[i] + g[i];
                     const float step = nesterov ? beta * u[i] + g[i] : u[i];
                     to[i] = is_whole ? step : to[i] + step;
                   }
                 });
}

void Dgc::add_up(const Round& round, std::span<const GradView> grads,
                 std::span<const GradView> total) {
  const auto beta = static_cast<float>(options_.beta);
  const float scale = clipping(round, grads);
  sum_.copy_to(total);
  for (std::size_t t = 0; t < grads.size(); ++t) {
    const auto u = momentum_.at(grads[t].id, std::ssize(grads[t].data));
    for (std::size_t i = 0; i < u.size(); ++i) {
      const float g = scale * grads[t].data[i], momentum = beta * u[i] + g;
      total[t].data[i] += options_.nesterov ? beta * momentum + g : momentum;
    }
  }
}

void Dgc::select(const Round& round, const GradView& sum, std::uint32_t first, Entries& chosen) {
  const auto n = std::ssize(sum.data), k = kept(round, sum);
  if (options_.sample == 1) {
    const auto begin = chosen.at.size();
    chosen.at.resize(begin + static_cast<std::size_t>(k));
    chosen.values.resize(chosen.at.size());
    return selector_.select(sum.data, first, std::span(chosen.at).subspan(begin),
                            std::span(chosen.values).subspan(begin));
  }
  magnitudes_.resize(sum.data.size());
  kernels::magnitude_bits(sum.data, magnitudes_);
  const auto threshold = sampled_threshold(round, sum.id, k);
  above_.clear();
  kernels::select_if(
      n, 0, [from = magnitudes_.data(), threshold](std::int64_t i) { return from[i] >= threshold; },
      found_, above_);
  above_magnitudes_.clear();
  for (const auto i : above_) above_magnitudes_.push_back(magnitudes_[i]);
  picked_.resize(static_cast<std::size_t>(std::min(k, std::ssize(above_))));
  selector_.select(above_magnitudes_, picked_);
  for (const auto i : picked_) chosen.add(first + above_[i], sum.data[above_[i]]);
}

// Magnitude bits that about k of the tensor's values reach.
std::uint32_t Dgc::sampled_threshold(const Round& round, std::uint32_t id, std::int64_t k) const {
  constexpr int kCorrections = 10;
  const auto n = std::ssize(magnitudes_);
  const auto stride = std::min(n, static_cast<std::int64_t>(1 / options_.sample));
  auto random = worker_stream(round, id);
  std::vector<std::uint32_t> sample;
  for (auto i = random.below(static_cast<std::uint64_t>(stride)); i < magnitudes_.size();
       i += static_cast<std::uint64_t>(stride)) {
    sample.push_back(magnitudes_[i]);
  }
  const auto place = std::min(std::ssize(sample) - 1, k * std::ssize(sample) / n);
  std::ranges::nth_element(sample, sample.begin() + place, std::greater<>());
  auto threshold = std::bit_cast<float>(sample[static_cast<std::size_t>(place)]);
  float too_low = -1;  // the last threshold that more than 1.3 k values reach; -1: none
  for (int correction = 0; correction < kCorrections; ++correction) {
    const auto bits = std::bit_cast<std::uint32_t>(threshold);
    const double beyond =
        vectorized_sum(n, kernels::kGrain, [=, this](std::int64_t begin, std::int64_t end) {
          std::int64_t reach = 0;
          for (auto i = begin; i < end; ++i) reach += magnitudes_[i] >= bits ? 1 : 0;
          return static_cast<double>(reach);
        });
    if (beyond > 1.3 * static_cast<double>(k)) {
      too_low = threshold;
      threshold *= 1.3F;
    } else if (beyond >= 0.8 * static_cast<double>(k)) {
      return bits;
    } else if (too_low >= 0) {
      break;
    } else {
      threshold *= 0.8F;
    }
  }
  return std::bit_cast<std::uint32_t>(too_low >= 0 ? too_low : threshold);
}

}  // namespace

std::unique_ptr<Compressor> make_dgc(std::uint16_t number, Options& options,
                                     std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kStages{"paper", "exponential"};
  DgcOptions dgc;
  dgc.ratio = options.number("ratio", dgc.ratio, 0, 1);
  dgc.beta = options.number("beta", dgc.beta, 0, 1);
  dgc.nesterov = options.flag("nesterov", dgc.nesterov);
  dgc.masking = options.flag("masking", dgc.masking);
  dgc.sample = options.number("sample", dgc.sample, 1e-6, 1);
  dgc.clip = options.number("clip", dgc.clip, 0, std::numeric_limits<double>::max());
  dgc.warmup = options.integer("warmup", 0, 0, std::numeric_limits<std::uint32_t>::max());
  dgc.stages = options.choice("stages", dgc.stages, kStages);
  return std::make_unique<Dgc>(number, std::move(dgc));
}

}  // namespace terse
