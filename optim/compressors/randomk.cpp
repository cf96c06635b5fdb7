// Random-k: k coordinates drawn anew in every step, the same for all workers.
//
//   all:       for each tensor of n values: k = max(1, floor(ratio n))       other sizes: keep.hpp
//              I = a k-subset of its coordinates, all equally likely, from (seed, step, tensor)
//   worker:    send x_i, i in I, ascending; I is known and not sent
//   exchange:  s = sum of all payloads
//   worker:    mean_i = s_i / workers for i in I, 0 elsewhere
//
// E|C(x) - x|^2 = (1 - k/n) |x|^2 exactly. `scaled` multiplies the mean by n/k: then C is unbiased
// and E|C(x) - x|^2 = (n/k - 1) |x|^2.
//
// Payload: 4 k bytes.
// Time: O(k) draws and O(n/64) words of a bit set.
// Source: Stich et al., arXiv 1809.07599; "Random K" of arXiv 1905.13727, appendix.
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/keep.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/sample.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

class RandomK final : public OnePhaseLinear {
 public:
  RandomK(std::uint16_t number, Keep keep, bool scaled)
      : number_(number), keep_(keep), scaled_(scaled) {}

  std::string spec() const override {
    return fmt::format("randomk:{},scaled={}", keep_.text(), scaled_);
  }
  Traits traits(std::uint64_t) const override { return {.linear = true}; }
  bool is_contraction() const override { return !scaled_; }
  std::optional<double> contraction(std::uint64_t step,
                                    std::span<const GradView> shape) const override {
    return scaled_ ? std::nullopt : std::optional(keep_.smallest_share(shape, step));
  }
  std::optional<double> variance(std::uint64_t step,
                                 std::span<const GradView> shape) const override {
    return scaled_ ? std::optional(1 / keep_.smallest_share(shape, step) - 1) : std::nullopt;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    auto payload = start_packet(round, number_, grads.size(), keep_.of(grads, round.step), up);
    const auto values = slots<float>(round, grads, payload);
    parallel_for(std::ssize(grads), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        const auto chosen = indices(round, grads[t]);
        for (std::size_t entry = 0; const auto i : chosen.span()) {
          values[t][entry++] = grads[t].data[i];
        }
      }
    });
  }

  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    for (const auto& view : shape) {
      list.floats("values " + shape_text(view), keep_.of(view, round.step));
    }
    return list.take();
  }

 private:
  // The values of each tensor in the payload: to be written, or, with a const Value, to be read.
  template <class Value, class Payload>
  std::vector<std::span<Value>> slots(const Round& round, std::span<const GradView> tensors,
                                      Payload& payload) const {
    std::vector<std::span<Value>> slots;
    for (const auto& view : tensors) {
      slots.push_back(payload.next_floats(static_cast<std::size_t>(keep_.of(view, round.step))));
    }
    return slots;
  }

  Buffer<std::uint32_t> indices(const Round& round, const GradView& view) const {
    const auto n = std::ssize(view.data);
    return kernels::sample(n, keep_.of(view, round.step), shared_stream(round, view.id));
  }

  void mean(const Round& round, const Packet& sum, std::span<const GradView> out) const override {
    sum.expect(number_, round.phase, out.size());
    PayloadReader payload(sum, keep_.of(out, round.step));
    const float workers = expect_contributors(sum);
    const auto sums = slots<const float>(round, out, payload);
    parallel_for(std::ssize(out), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        const auto x = out[t].data;
        const auto chosen = indices(round, out[t]);
        const auto n = static_cast<float>(x.size());
        const float scale = scaled_ ? n / static_cast<float>(sums[t].size()) : 1.0F;
        std::ranges::fill(x, 0.0F);
        for (std::size_t entry = 0; const auto i : chosen.span()) {
          x[i] = sums[t][entry++] / workers * scale;
        }
      }
    });
  }

  std::uint16_t number_;
  Keep keep_;
  bool scaled_;
};

}  // namespace

std::unique_ptr<Compressor> make_randomk(std::uint16_t number, Options& options,
                                         std::unique_ptr<Compressor>) {
  const auto keep = Keep::parse(options, 1);
  return std::make_unique<RandomK>(number, keep, options.flag("scaled", false));
}

}  // namespace terse
