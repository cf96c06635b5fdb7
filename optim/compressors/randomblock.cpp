// Random block: consecutive coordinates from a place drawn anew in every step, the same for all.
//
//   all:       for each tensor of n values: b = max(1, floor(ratio n))       other sizes: keep.hpp
//              start uniform in 0 … n-1, from (seed, step, tensor)
//   worker:    send x_i, i = start, start + 1, … start + b - 1, modulo n; i is known and not sent
//   exchange:  s = sum of all payloads
//   worker:    mean_i = s_i / workers in the block, 0 elsewhere
//
// E|C(x) - x|^2 = (1 - b/n) |x|^2 exactly, as with random-k, and memory is read in order. But
// neighbouring values are often similar: in the paper it learns less than random-k from as many
// bytes.
//
// Payload: 4 b bytes.
// Time: two copies of b values.
// Source: "Random Block" of Vogels et al., arXiv 1905.13727, appendix.
#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/keep.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

class RandomBlock final : public OnePhaseLinear {
 public:
  RandomBlock(std::uint16_t number, Keep keep) : number_(number), keep_(keep) {}

  std::string spec() const override { return "randomblock:" + keep_.text(); }
  Traits traits(std::uint64_t) const override { return {.linear = true}; }
  bool is_contraction() const override { return true; }
  std::optional<double> contraction(std::uint64_t step,
                                    std::span<const GradView> shape) const override {
    return keep_.smallest_share(shape, step);
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    auto payload = start_packet(round, number_, grads.size(), keep_.of(grads, round.step), up);
    for (const auto& grad : grads) {
      for (const auto part : block(round, grad)) {
        kernels::copy_to(part, payload.next_floats(part.size()));
      }
    }
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
  // The block up to the end of the tensor, and its rest at the beginning.
  std::array<std::span<float>, 2> block(const Round& round, const GradView& view) const {
    if (view.data.empty()) return {};
    const auto start = shared_stream(round, view.id).below(view.data.size());
    const auto b = static_cast<std::size_t>(keep_.of(view, round.step));
    const auto to_the_end = std::min<std::size_t>(b, view.data.size() - start);
    return {view.data.subspan(start, to_the_end), view.data.first(b - to_the_end)};
  }

  void mean(const Round& round, const Packet& sum, std::span<const GradView> out) const override {
    sum.expect(number_, round.phase, out.size());
    PayloadReader s(sum, keep_.of(out, round.step));
    const float workers = expect_contributors(sum);
    for (const auto& view : out) {
      std::ranges::fill(view.data, 0.0F);
      for (const auto part : block(round, view)) {
        kernels::divide_to(s.next_floats(part.size()), workers, part);
      }
    }
  }

  std::uint16_t number_;
  Keep keep_;
};

}  // namespace

std::unique_ptr<Compressor> make_randomblock(std::uint16_t number, Options& options,
                                             std::unique_ptr<Compressor>) {
  return std::make_unique<RandomBlock>(number, Keep::parse(options, 1));
}

}  // namespace terse
