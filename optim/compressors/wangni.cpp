// Wangni's sparsification: coordinates at random, large ones more likely, without bias.
//
//   worker w:  for each tensor: p_i = min(1, lambda |x_i|); two rules for lambda: see below
//              I_w = each i by itself with probability p_i
//              send i and x_i where p_i = 1, i and sign x_i where p_i < 1, and every 1/lambda
//   exchange and decoding: as of every sparsifier, sparse.hpp, with the values x_i / p_i:
//              x_i itself where p_i = 1, and sign(x_i)/lambda where p_i < 1
//
// E C(x) = x and E|C(x) - x|^2 = sum of x_i^2 (1/p_i - 1). The rules for lambda:
//   ratio=r     sum p_i = r n: lambda = r n / |x|_1, then enlarged `iterations` times, because the
//               coordinates with p_i = 1 cannot use their share (greedy, at most r n)
//               E|C(x) - x|^2 <= omega |x|^2 with omega = 1/r - 1 for r <= 1/2, 1/(4 r - 1) above
//   variance=e  E|C(x)|^2 = (1 + e) |x|^2 exactly, with the fewest entries that allow it
// A value that is not finite has p_i = 1 and does not count for lambda.
//
// Payload: 4 bytes per tensor, 4 more in all, 8 per entry with p_i = 1, 4 per other entry
// (coordinate, bit 31 for minus).
// Time: one draw per coordinate; the exact rule sorts.
// Source: Wangni, Wang, Liu, Zhang, arXiv 1710.09854, algorithms 2 (exact) and 3 (greedy);
// reconstructed, and the variance derived.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/sparse.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/select.hpp"

namespace terse {
namespace {

struct Rule {
  double ratio = 0.01;
  std::int64_t iterations = 2;
  double variance = 0;  // if above 0, the exact rule applies

  std::string text() const {
    return variance > 0 ? fmt::format("variance={}", variance)
                        : fmt::format("ratio={},iterations={}", ratio, iterations);
  }
  double lambda(std::span<const float> x) const { return variance > 0 ? exact(x) : greedy(x); }
  double omega() const {
    if (variance > 0) return variance;
    return ratio > 0.5 ? 1 / (4 * ratio - 1) : 1 / ratio - 1;
  }

 private:
  double greedy(std::span<const float> x) const;
  double exact(std::span<const float> x) const;
};

double magnitude(float value) {
  return std::isfinite(value) ? std::abs(double{value}) : 0;
}

double Rule::greedy(std::span<const float> x) const {
  const double wanted = ratio * static_cast<double>(x.size());
  double norm1 = 0;
  for (const float value : x) norm1 += magnitude(value);
  if (norm1 == 0) return 0;
  double lambda = wanted / norm1;
  for (std::int64_t i = 0; i < iterations; ++i) {
    double certain = 0, uncertain = 0;  // sums of p
    for (const float value : x) {
      const double p = lambda * magnitude(value);
      (p >= 1 ? certain : uncertain) += std::min(p, 1.0);
    }
    const double more = (wanted - certain) / uncertain;
    if (!(more > 1) || !std::isfinite(more)) break;
    lambda *= more;
  }
  return lambda;
}

// The k largest have p_i = 1. With S = sum of x_i^2 and A = sum of |x_i| of the others, lambda =
// A / (e |x|^2 + S). k is the smallest number with which no other p_i reaches 1.
double Rule::exact(std::span<const float> x) const {
  std::vector<double> sizes;
  sizes.reserve(x.size());
  for (const float value : x) sizes.push_back(magnitude(value));
  std::ranges::sort(sizes, std::greater<>());
  // The sums from i on, added from the smallest value up so that small values are not lost.
  std::vector<double> rest(sizes.size()), rest_squares(sizes.size());
  double sum = 0, squares = 0;
  for (auto i = sizes.size(); i-- > 0;) {
    rest[i] = sum += sizes[i];
    rest_squares[i] = squares += sizes[i] * sizes[i];
  }
  if (squares == 0) return 0;
  std::size_t k = 0;
  const auto lambda = [&] { return rest[k] / (variance * squares + rest_squares[k]); };
  while (k + 1 < sizes.size() && lambda() * sizes[k] > 1) ++k;
  return lambda();
}

class Wangni final : public SparseCompressor {
 public:
  Wangni(std::uint16_t number, Rule rule) : SparseCompressor(number), rule_(rule) {}

  bool is_contraction() const override { return rule_.omega() < 1; }
  // Without entries (ratio=0) it is biased.
  std::optional<double> variance(std::uint64_t, std::span<const GradView>) const override {
    return std::isfinite(rule_.omega()) ? std::optional(rule_.omega()) : std::nullopt;
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    const Parts parts(up.words(), shape);
    FieldList list(up);
    list.floats("1/lambda", std::ssize(shape));
    list.indices("entries in full", 1);
    list.indices("coordinates", std::ssize(parts.certain));
    list.floats("values", std::ssize(parts.certain));
    list.signed_indices("coordinates of +-1/lambda", std::ssize(parts.uncertain));
    return list.take();
  }

 protected:
  std::string stage() const override { return "wangni:" + rule_.text(); }
  std::string_view refuses_coder() const override {
    return "all values but the largest have the same magnitude";
  }

  void choose(const Round& round, std::span<const GradView> grads, Entries& chosen) override;
  bool exact() const override { return false; }
  void write(const Round& round, std::span<const GradView> shape, const Entries& chosen,
             Packet& up) const override;
  void read(const Round&, std::span<const GradView> shape, std::span<const std::uint32_t> payload,
            Entries& entries) const override;

 private:
  // The parts of a payload.
  struct Parts {
    std::span<const float> steps;  // 1/lambda of every tensor
    std::span<const std::uint32_t> certain;
    std::span<const float> values;
    std::span<const std::uint32_t> uncertain;  // with signs

    Parts(std::span<const std::uint32_t> payload, std::span<const GradView> shape) {
      PayloadReader in(payload);
      steps = in.next_floats(shape.size());
      const auto k = in.next_word();
      certain = in.next_words(k);
      values = in.next_floats(k);
      uncertain = in.rest();
    }
  };

  Rule rule_;
  std::vector<float> steps_;             // 1/lambda, from choose to write: no state
  kernels::Found<std::uint32_t> found_;  // scratch
};

// Whether p_i = 1. p_i is computed from 1/lambda as a float, because the decoder uses that float.
bool is_certain(float value, float step) {
  return !(std::abs(value) < step);
}

void Wangni::choose(const Round& round, std::span<const GradView> grads, Entries& chosen) {
  constexpr double kWords = 4294967296.0;  // 2^32 values of a draw
  steps_.clear();
  std::uint32_t first = 0;
  for (const auto& grad : grads) {
    const auto x = grad.data;
    const auto step = static_cast<float>(1 / rule_.lambda(x));  // infinite: no entry is chosen
    steps_.push_back(step);
    const auto random = worker_stream(round, grad.id);
    kernels::select_if(
        std::ssize(x), first,
        [&](std::int64_t i) {
          if (is_certain(x[i], step)) return true;
          const double p = std::abs(double{x[i]}) / step;
          return p > 0 && random.at(static_cast<std::uint64_t>(i)) < p * kWords;
        },
        found_, chosen.at);
    first += static_cast<std::uint32_t>(x.size());
  }
  chosen.take_values(grads);
}

void Wangni::write(const Round& round, std::span<const GradView> shape, const Entries& chosen,
                   Packet& up) const {
  check<UsageError>(
      count(shape) <= std::int64_t{1} << 31,
      "wangni: expected at most 2^31 values in a bucket, because coordinates have 31 bits; got {}",
      count(shape));
  std::vector<std::uint32_t> certain, uncertain;
  std::vector<float> values;
  std::size_t entry = 0, end = 0;
  for (std::size_t t = 0; t < shape.size(); ++t) {
    end += shape[t].data.size();
    for (; entry < chosen.at.size() && chosen.at[entry] < end; ++entry) {
      const float value = chosen.values[entry];
      if (is_certain(value, steps_[t])) {
        certain.push_back(chosen.at[entry]);
        values.push_back(value);
      } else {
        uncertain.push_back(with_sign(chosen.at[entry], value < 0));
      }
    }
  }
  PayloadWriter payload(
      start(round, shape, shape.size() + 1 + 2 * certain.size() + uncertain.size(), up));
  std::ranges::copy(steps_, payload.next_floats(steps_.size()).begin());
  payload.next_words(1)[0] = static_cast<std::uint32_t>(certain.size());
  std::ranges::copy(certain, payload.next_words(certain.size()).begin());
  std::ranges::copy(values, payload.next_floats(values.size()).begin());
  std::ranges::copy(uncertain, payload.rest().begin());
}

void Wangni::read(const Round&, std::span<const GradView> shape,
                  std::span<const std::uint32_t> payload, Entries& entries) const {
  const Parts parts(payload, shape);
  std::size_t c = 0, u = 0, end = 0;
  for (std::size_t t = 0; t < shape.size(); ++t) {
    end += shape[t].data.size();
    for (;;) {
      const bool some = c < parts.certain.size() && parts.certain[c] < end;
      const bool other = u < parts.uncertain.size() && coordinate_of(parts.uncertain[u]) < end;
      if (!some && !other) break;
      if (!other || (some && parts.certain[c] <= coordinate_of(parts.uncertain[u]))) {
        entries.add(parts.certain[c], parts.values[c]);
        ++c;
      } else {
        const auto word = parts.uncertain[u++];
        entries.add(coordinate_of(word), is_minus(word) ? -parts.steps[t] : parts.steps[t]);
      }
    }
  }
  check<PacketError>(c == parts.certain.size() && u == parts.uncertain.size(),
                     "packet: expected coordinates below {}", end);
  expect_ascending(entries.at, count(shape));
}

}  // namespace

std::unique_ptr<Compressor> make_wangni(std::uint16_t number, Options& options,
                                        std::unique_ptr<Compressor>) {
  check<UsageError>(
      !options.has("variance") || !(options.has("ratio") || options.has("iterations")),
      "wangni: expected variance=, or ratio= and iterations=; got both");
  Rule rule;
  rule.ratio = options.number("ratio", rule.ratio, 0, 1);
  rule.iterations = options.integer("iterations", rule.iterations, 0, 100);
  rule.variance = options.number("variance", 0, 0, std::numeric_limits<double>::max());
  return std::make_unique<Wangni>(number, rule);
}

}  // namespace terse
