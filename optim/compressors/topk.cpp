// Top-k: the coordinates of largest magnitude, exactly.
//
//   worker w:  for each tensor of n values: k = max(1, floor(ratio n))       keep.hpp: other sizes
//              I_w = the k coordinates of largest |x_i|; ties: the lowest i; |NaN| is infinite
//              send I_w ascending, then the values x_i, i in I_w
//   the rest:  as every sparsifier, in sparse.hpp
//
// scope=model chooses the k of the whole model instead, which must then be one bucket.
// |C(x) - x|^2 <= (1 - k/n) |x|^2, with equality iff all magnitudes are equal.
//
// Payload: 8 k bytes up; down 8 |union| or 4 d bytes. Time: O(d) up, O(d + W k) in the exchange.
// Source: Aji and Heafield, arXiv 1704.05021; Stich et al., arXiv 1809.07599; as "Top K" in
// arXiv 1905.13727, appendix.
#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/keep.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"
#include "tersegrad/optim/kernels/select.hpp"

namespace terse {
namespace {

class TopK final : public SparseCompressor {
 public:
  TopK(std::uint16_t number, Keep keep, bool whole_model)
      : SparseCompressor(number), keep_(keep), whole_model_(whole_model) {}

  Traits traits(std::uint64_t) const override { return {.whole_model = whole_model_}; }

 protected:
  std::string stage() const override {
    return fmt::format("topk:{},scope={}", keep_.text(), whole_model_ ? "model" : "tensor");
  }

  void choose(const Round& round, std::span<const GradView> grads, Entries& chosen) override {
    if (whole_model_) return choose_of_all(round, grads, chosen);
    choose_of_each(round, grads, chosen, [&](std::size_t t, std::uint32_t first, auto... room) {
      selectors_[t].select(grads[t].data, first, room...);
    });
  }

  void feed_and_choose(const Round& round, std::span<const GradView> grads, float keep,
                       std::span<const GradView> residual, bool take, Entries& chosen) override {
    if (whole_model_) {
      return SparseCompressor::feed_and_choose(round, grads, keep, residual, take, chosen);
    }
    choose_of_each(round, residual, chosen, [&](std::size_t t, std::uint32_t first, auto... room) {
      selectors_[t].feed_and_select(grads[t].data, keep, residual[t].data, take, first, room...);
    });
  }

 private:
  // select(t, place of the tensor in the bucket, room for coordinates, room for values) for all
  // tensors at once.
  template <class Select>
  void choose_of_each(const Round& round, std::span<const GradView> tensors, Entries& chosen,
                      Select select) {
    struct Place {
      std::uint32_t tensor = 0, entry = 0, k = 0;
    };
    std::vector<Place> places(tensors.size() + 1);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      auto& [tensor, entry, k] = places[t];
      k = static_cast<std::uint32_t>(keep_.of(tensors[t], round.step));
      places[t + 1] = {tensor + static_cast<std::uint32_t>(tensors[t].data.size()), entry + k};
    }
    chosen.at.resize(places.back().entry);
    chosen.values.resize(places.back().entry);
    if (selectors_.size() < tensors.size()) selectors_.resize(tensors.size());
    parallel_for(std::ssize(tensors), 1, [&](std::int64_t tensor, std::int64_t) {
      const auto t = static_cast<std::size_t>(tensor);
      const auto [first, entry, k] = places[t];
      select(t, first, std::span(chosen.at).subspan(entry, k),
             std::span(chosen.values).subspan(entry, k));
    });
  }

  void choose_of_all(const Round& round, std::span<const GradView> grads, Entries& chosen) {
    keys_.resize(static_cast<std::size_t>(count(grads)));
    std::int64_t n = 0;
    for (const auto& grad : grads) {
      kernels::magnitude_keys(grad.data, std::span(keys_).subspan(n, grad.data.size()));
      n += std::ssize(grad.data);
    }
    selectors_.resize(1);
    chosen.at.resize(static_cast<std::size_t>(keep_.of(n, 1, round.step)));
    selectors_[0].select(keys_, chosen.at);
    chosen.take_values(grads);
  }

  Keep keep_;
  bool whole_model_;
  // Room that is used again: no state.
  std::vector<std::uint32_t> keys_;
  std::vector<kernels::LargestSelector> selectors_;  // of each tensor
};

}  // namespace

std::unique_ptr<Compressor> make_topk(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kScopes{"tensor", "model"};
  const auto keep = Keep::parse(options, 2);
  const auto scope = options.choice("scope", "tensor", kScopes);
  check<UsageError>(keep.rank == 0 || scope == "tensor",
                    "topk: rank= is a size for each tensor; with scope=model give ratio= or k=");
  return std::make_unique<TopK>(number, keep, scope == "model");
}

}  // namespace terse
