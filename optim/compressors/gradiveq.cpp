// GradiVeQ: slices of the gradient are projected on the axes along which they have been large. The
// projection is linear.
//
//   learning, in the first `samples` of every `period` steps:
//     worker:    send g
//     exchange:  add
//     worker:    mean = the sum / workers
//                for each tensor, of each slice x of K values of the mean: C = C + x x^T
//                after the last of these steps:
//                  U = the `keep` eigenvectors of C with the largest eigenvalues (K x keep);  C = 0
//   all other steps:
//     worker:    send U^T x of each slice; the values after the last slice of a tensor uncompressed
//     exchange:  add
//     worker:    mean = U (the sum / workers), slice by slice
//
// All workers see the same mean and compute the same U from it. The projection is orthogonal. Of
// the sum of |x|_2^2 over the slices it keeps the share that the `keep` largest eigenvalues have in
// the sum of all, as long as the gradients resemble those it has learned from; keep = K is exact. U
// is a random basis before the first learning, which a warm-up may skip.
//
// Payload: 4 d bytes while learning, then 4 keep floor(n / K) + 4 (n mod K) per tensor.
// State: K (K + keep) floats per tensor.
// Time: O(keep d); learning O(K d), then O(K^3) per tensor.
// Source: Yu et al., arXiv 1811.03617; reconstructed: the period and the uncentred moments are
// ours.
#include <fmt/format.h>

#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/svd.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

struct GradiVeqOptions {
  std::int64_t slice = 64, keep = 8, period = 500, samples = 20;
};

class GradiVeq final : public LinearCompressor {
 public:
  GradiVeq(std::uint16_t number, GradiVeqOptions options) : number_(number), options_(options) {}

  std::string spec() const override {
    return fmt::format("gradiveq:slice={},keep={},period={},samples={}", options_.slice,
                       options_.keep, options_.period, options_.samples);
  }
  // An orthogonal projection.
  bool is_contraction() const override { return true; }
  // The axes come from the means that the workers have decoded.
  Traits traits(std::uint64_t) const override { return {.linear = true, .self_contained = false}; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    mean(round, down, scratch);
    const bool last = place(round) == options_.samples - 1;
    for (const auto& view : scratch) {
      if (learning(round)) learn(view, last);
    }
    return written(round, scratch);
  }
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    mean(round, own, out);
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    for (const auto& view : shape) {
      const auto projected = learning(round) ? 0 : slices(view) * options_.keep;
      if (projected > 0) list.floats("U^T x of " + shape_text(view), projected);
      list.floats("values " + shape_text(view), size(round, view) - projected);
    }
    return list.take();
  }
  void serialize(Archive& archive) override {
    moments_.serialize(archive, "gradiveq.moments");
    axes_.serialize(archive, "gradiveq.axes");
  }

 private:
  // The step's place in its period, from 0.
  std::int64_t place(const Round& round) const {
    return static_cast<std::int64_t>(round.step % static_cast<std::uint64_t>(options_.period));
  }
  bool learning(const Round& round) const { return place(round) < options_.samples; }
  std::int64_t slices(const GradView& view) const { return std::ssize(view.data) / options_.slice; }
  std::int64_t size(const Round& round, const GradView& view) const {
    const auto n = std::ssize(view.data);
    return learning(round) ? n : n - slices(view) * (options_.slice - options_.keep);
  }
  std::int64_t size(const Round& round, std::span<const GradView> views) const {
    std::int64_t floats = 0;
    for (const auto& view : views) floats += size(round, view);
    return floats;
  }
  // The slices of a tensor as the rows of a matrix.
  kernels::MatrixView matrix(const GradView& view) const {
    return {slices(view), options_.slice, view.data.first(sliced(view))};
  }
  std::size_t sliced(const GradView& view) const {
    return static_cast<std::size_t>(slices(view) * options_.slice);
  }

  std::vector<float> axes(const Round& round, const GradView& view) const;
  void learn(const GradView& mean, bool last);
  void mean(const Round& round, const Packet& sum, std::span<const GradView> out) const;

  std::uint16_t number_;
  GradiVeqOptions options_;
  TensorState moments_;  // C
  TensorState axes_;     // U, column by column
};

std::vector<float> GradiVeq::axes(const Round& round, const GradView& view) const {
  const auto n = options_.slice * options_.keep;
  if (axes_.has(view.id)) {
    const auto learned = axes_.existing(view.id, n);
    return {learned.begin(), learned.end()};
  }
  std::vector<float> drawn(static_cast<std::size_t>(n));
  kernels::fill_normal(shared_stream(round, view.id, 0), drawn);
  kernels::orthonormalise(options_.slice, options_.keep, drawn);
  return drawn;
}

void GradiVeq::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  auto payload = start_packet(round, number_, grads.size(), size(round, grads), up);
  for (const auto& grad : grads) {
    auto values = grad.data;
    if (!learning(round) && slices(grad) > 0) {
      kernels::times_q(matrix(grad), options_.keep, axes(round, grad),
                       payload.next_floats(slices(grad) * options_.keep));
      values = values.subspan(sliced(grad));
    }
    kernels::copy_to(values, payload.next_floats(values.size()));
  }
}

void GradiVeq::mean(const Round& round, const Packet& sum, std::span<const GradView> out) const {
  sum.expect(number_, round.phase, out.size());
  PayloadReader s(sum, size(round, out));
  const float workers = expect_contributors(sum);
  std::vector<float> projected;
  for (const auto& view : out) {
    auto values = view.data;
    if (!learning(round) && slices(view) > 0) {
      projected.resize(static_cast<std::size_t>(slices(view) * options_.keep));
      kernels::divide_to(s.next_floats(projected.size()), workers, projected);
      kernels::outer_product(slices(view), options_.slice, options_.keep, projected,
                             axes(round, view), values.first(sliced(view)));
      values = values.subspan(sliced(view));
    }
    kernels::divide_to(s.next_floats(values.size()), workers, values);
  }
}

void GradiVeq::learn(const GradView& mean, bool last) {
  constexpr std::int64_t kRows = 8;  // of C in a piece
  const auto k = options_.slice;
  if (slices(mean) == 0) return;
  const auto moments = moments_.at(mean.id, k * k);
  vectorized_for(k, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = 0; s < slices(mean); ++s) {
      const float* x = mean.data.data() + s * k;
      for (auto i = begin; i < end; ++i) {
        float* row = moments.data() + i * k;
        const float factor = x[i];
        for (std::int64_t j = 0; j < k; ++j) row[j] += factor * x[j];
      }
    }
  });
  if (!last) return;
  const auto found = kernels::principal_axes(k, moments, options_.keep);
  if (!found.empty()) kernels::copy_to(found, axes_.at(mean.id, k * options_.keep));
  std::ranges::fill(moments, 0.0F);
}

}  // namespace

std::unique_ptr<Compressor> make_gradiveq(std::uint16_t number, Options& options,
                                          std::unique_ptr<Compressor>) {
  GradiVeqOptions gradiveq;
  gradiveq.slice = options.integer("slice", gradiveq.slice, 1, 1024);
  gradiveq.keep =
      options.integer("keep", std::min(gradiveq.keep, gradiveq.slice), 1, gradiveq.slice);
  gradiveq.period =
      options.integer("period", gradiveq.period, 1, std::numeric_limits<std::uint32_t>::max());
  gradiveq.samples =
      options.integer("samples", std::min(gradiveq.samples, gradiveq.period), 1, gradiveq.period);
  return std::make_unique<GradiVeq>(number, gradiveq);
}

}  // namespace terse
