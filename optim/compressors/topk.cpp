// Top-k: the coordinates of largest magnitude, exactly.
//
//   worker w:  for each tensor of n values: k = max(1, floor(ratio n))       other sizes: keep.hpp
//              I_w = the k coordinates of largest |x_i|; of equal ones, the lowest i first
//              send I_w ascending, then the values x_i, i in I_w
//   exchange and decoding: as of every sparsifier, sparse.hpp
//
// |NaN| counts as infinite. scope=model takes the k largest of the whole model, which must then be
// one bucket. |C(x) - x|^2 <= (1 - k/n) |x|^2, with equality iff all magnitudes are equal.
//
// Payload: 8 k bytes up; down 8 |union of all I_w| or 4 d bytes.
// Time: O(d) up, O(d + W k) in the exchange.
// Source: Aji and Heafield, arXiv 1704.05021; Stich et al., arXiv 1809.07599; "Top K" of arXiv
// 1905.13727, appendix.
#include "tersegrad/optim/compressors/topk.hpp"

#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {

void TopK::choose(const Round& round, std::span<const GradView> grads, Entries& chosen) {
  if (whole_model_) return choose_of_all(round, grads, chosen);
  const auto slots = this->slots(round, grads, chosen);
  parallel_for(std::ssize(grads), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      selectors_[t].select(grads[t].data, slots[t].first, slots[t].at, slots[t].values);
    }
  });
}

std::vector<TopK::Slot> TopK::slots(const Round& round, std::span<const GradView> tensors,
                                    Entries& chosen) {
  const auto entries = static_cast<std::size_t>(keep_.of(tensors, round.step));
  chosen.at.resize(entries);
  chosen.values.resize(entries);
  if (selectors_.size() < tensors.size()) selectors_.resize(tensors.size());

  std::vector<Slot> slots;
  std::uint32_t first = 0;
  std::size_t entry = 0;
  for (const auto& x : tensors) {
    const auto k = static_cast<std::size_t>(keep_.of(x, round.step));
    slots.push_back({.first = first,
                     .at = std::span(chosen.at).subspan(entry, k),
                     .values = std::span(chosen.values).subspan(entry, k)});
    first += static_cast<std::uint32_t>(x.data.size());
    entry += k;
  }
  return slots;
}

std::optional<double> TopK::contraction(std::uint64_t step, std::span<const GradView> shape) const {
  if (has_coder()) return std::nullopt;
  if (!whole_model_) return keep_.smallest_share(shape, step);
  const auto n = count(shape);
  return n == 0 ? 1 : static_cast<double>(keep_.of(n, 1, step)) / static_cast<double>(n);
}

void TopK::choose_of_all(const Round& round, std::span<const GradView> grads, Entries& chosen) {
  magnitudes_.resize(static_cast<std::size_t>(count(grads)));
  std::int64_t n = 0;
  for (const auto& grad : grads) {
    kernels::magnitude_bits(grad.data, std::span(magnitudes_).subspan(n, grad.data.size()));
    n += std::ssize(grad.data);
  }
  selectors_.resize(1);
  chosen.at.resize(static_cast<std::size_t>(keep_.of(n, 1, round.step)));
  selectors_[0].select(magnitudes_, chosen.at);
  chosen.take_values(grads);
}

std::string TopK::stage() const {
  return fmt::format("topk:{},scope={}", keep_.text(), whole_model_ ? "model" : "tensor");
}

std::unique_ptr<Compressor> make_topk(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kScopes{"tensor", "model"};
  const auto keep = Keep::parse(options, 2);
  const auto scope = options.choice("scope", "tensor", kScopes);
  check<UsageError>(
      keep.rank == 0 || scope == "tensor",
      "topk: expected ratio= or k= with scope=model; got rank={}, which is a size for each tensor",
      keep.rank);
  return std::make_unique<TopK>(number, keep, scope == "model");
}

}  // namespace terse
