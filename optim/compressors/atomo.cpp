// Spectral ATOMO: some of the singular vectors, drawn so that their expectation is the gradient.
//
//   worker w:  fold each tensor to a matrix (n x m)
//              M_w = sum of s_c u_c v_c^T, s descending
//              p_c = min(1, a multiple of s_c), so that the p_c sum up to `rank`
//              draw `rank` of the c, each with probability p_c: send u_c, s_c / p_c, v_c
//   exchange:  every worker receives all packets and their weights
//   worker:    mean = sum over w of weight_w sum over the c sent of (s_c / p_c) u_c v_c^T
//
// The folding is that of the authors: a convolution (out, in, kh, kw) becomes (out in / 2) x (2 kh
// kw), or out x in if its kernel is one value; a vector of n becomes (n / 2) x 2. An odd number of
// pairs cannot be folded: such a vector is sent uncompressed, such a convolution is out x (in kh
// kw).
//
// E C(M) = M, and E|C(M) - M|^2 = sum of s_c^2 (1/p_c - 1), the least of all unbiased choices of as
// many atoms. Atoms are orthogonal, so neither formula depends on which atoms are drawn together.
// One offset therefore serves for all c (systematic sampling), and a packet has a fixed size.
// `independent` draws each c by itself as in the paper: `rank` of them only on average. (Repeating
// the draw until there are `rank`, as some published code does, is biased.) A matrix with a NaN or
// infinity is sent as NaN.
//
// Payload: 4 bytes and 4 rank (n + m + 1) per matrix, fewer if it has a lower rank; 4 n per vector
// that cannot be folded.
// Time: O(n m min(n, m)), LAPACK's.
// Source: Wang et al., arXiv 1806.04090, and the folding of their code; the systematic draw is
// ours.
#include <fmt/format.h>

#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/svd.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

// p_c for s descending: the first t are 1, and the others share the rest of the budget.
std::vector<double> probabilities(std::span<const float> s, double budget) {
  std::vector<double> tail(s.size() + 1);  // tail[c] = sum of s from c on
  for (auto c = s.size(); c-- > 0;) tail[c] = tail[c + 1] + s[c];
  std::size_t t = 0;
  while (t < s.size() && (budget - static_cast<double>(t)) * s[t] > tail[t]) ++t;
  std::vector<double> p(s.size(), 1);
  for (auto c = t; c < s.size(); ++c) {
    p[c] = s[c] == 0 ? 0 : (budget - static_cast<double>(t)) * s[c] / tail[t];
  }
  return p;
}

// Draws each c with probability p_c. The p_c sum up to a whole number, and as many are drawn.
std::vector<std::size_t> draw_together(std::span<const double> p, Philox random) {
  std::vector<std::size_t> picked;
  double sum = random.uniform_double();
  for (std::size_t c = 0; c < p.size(); ++c) {
    const double before = std::floor(sum);
    sum += p[c];
    if (std::floor(sum) > before) picked.push_back(c);
  }
  return picked;
}

// Draws each c by itself.
std::vector<std::size_t> draw_each(std::span<const double> p, Philox random) {
  std::vector<std::size_t> picked;
  for (std::size_t c = 0; c < p.size(); ++c) {
    if (random.uniform_double() < p[c]) picked.push_back(c);
  }
  return picked;
}

// The matrix that is decomposed: the same values in another shape. A single column is not
// decomposed.
GradView folded(const GradView& view) {
  const auto pairs = std::ssize(view.data) / view.kernel;
  if ((view.cols > 1 && view.kernel == 1) || pairs == 0 || pairs % 2 != 0) return view;
  return {view.id, pairs / 2, 2 * view.kernel, 1, view.data};
}

std::vector<GradView> folded(std::span<const GradView> views) {
  std::vector<GradView> matrices;
  for (const auto& view : views) matrices.push_back(folded(view));
  return matrices;
}

// The atoms of a matrix in a payload.
class Atoms {
 public:
  Atoms(const GradView& view, PayloadReader& payload)
      : n_(static_cast<std::size_t>(view.rows)), m_(static_cast<std::size_t>(view.cols)) {
    count_ = payload.next_word();
    check<PacketError>(count_ <= std::min(n_, m_),
                       "packet: expected at most {} atoms of a tensor {}; got {}", std::min(n_, m_),
                       shape_text(view), count_);
    values_ = payload.next_floats(count_ * (1 + n_ + m_));
  }

  std::int64_t count() const { return static_cast<std::int64_t>(count_); }
  std::span<const float> sizes() const { return values_.first(count_); }
  std::span<const float> u() const { return values_.subspan(count_, count_ * n_); }
  std::span<const float> v() const { return values_.last(count_ * m_); }

 private:
  std::size_t n_, m_, count_ = 0;
  std::span<const float> values_;
};

class Atomo final : public GatherCompressor {
 public:
  Atomo(std::uint16_t number, std::int64_t rank, bool independent)
      : GatherCompressor(number), rank_(rank), independent_(independent) {}

  std::string spec() const override {
    return fmt::format("atomo:rank={},independent={}", rank_, independent_);
  }
  bool codes_vectors() const override { return false; }
  // That of equal p_c, which is not the least.
  std::optional<double> variance(std::uint64_t, std::span<const GradView> shape) const override {
    std::int64_t most = rank_;
    for (const auto& view : folded(shape)) {
      if (is_matrix(view)) most = std::max(most, std::min(view.rows, view.cols));
    }
    return static_cast<double>(most) / static_cast<double>(rank_) - 1;
  }

  void encode(const Round& round, std::span<const GradView> tensors, Packet& up) override {
    const auto grads = folded(tensors);
    std::vector<std::vector<std::uint32_t>> parts(grads.size());
    parallel_for(std::ssize(grads), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        if (is_matrix(grads[t])) parts[t] = atoms_of(round, grads[t]);
      }
    });
    std::int64_t words = 0;
    for (std::size_t t = 0; t < grads.size(); ++t) {
      words += is_matrix(grads[t]) ? std::ssize(parts[t]) : std::ssize(grads[t].data);
    }
    PayloadWriter payload(start(round, grads, words, up));
    for (std::size_t t = 0; t < grads.size(); ++t) {
      if (is_matrix(grads[t])) {
        std::ranges::copy(parts[t], payload.next_words(parts[t].size()).begin());
      } else {
        kernels::copy_to(grads[t].data, payload.next_floats(grads[t].data.size()));
      }
    }
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    PayloadReader in(payload);
    std::vector<float> sized;
    for (const auto& view : folded(out)) {
      if (is_matrix(view)) {
        const Atoms atoms(view, in);
        sized.assign(atoms.u().begin(), atoms.u().end());
        for (std::int64_t c = 0; c < atoms.count(); ++c) {
          const auto column = std::span(sized).subspan(c * view.rows, view.rows);
          kernels::scale_to(column, atoms.sizes()[c], column);
        }
        kernels::add_outer_product(view.rows, view.cols, atoms.count(), sized, atoms.v(), weight,
                                   view.data);
      } else {
        kernels::add_scaled_to(in.next_floats(view.data.size()), weight, view.data);
      }
    }
    in.expect_end();
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    PayloadReader in(up.words());
    for (const auto& view : folded(shape)) {
      if (!is_matrix(view)) {
        list.floats("values " + shape_text(view), std::ssize(in.next_floats(view.data.size())));
        continue;
      }
      const Atoms atoms(view, in);
      list.indices("atoms of " + shape_text(view), 1);
      list.floats("s / p", atoms.count());
      list.floats("u", std::ssize(atoms.u()));
      list.floats("v", std::ssize(atoms.v()));
    }
    return list.take();
  }

 private:
  // The words of a matrix in the payload: the number of atoms that are drawn, s_c / p_c, u and v.
  std::vector<std::uint32_t> atoms_of(const Round& round, const GradView& grad) const {
    const auto found = kernels::svd({grad.rows, grad.cols, grad.data});
    const auto p = probabilities(found.s, static_cast<double>(rank_));
    const auto random = worker_stream(round, grad.id);
    auto picked = independent_ ? draw_each(p, random) : draw_together(p, random);
    if (!found.s.empty() && std::isnan(found.s[0]))
      picked = {0};  // this atom makes the whole matrix NaN
    std::vector<std::uint32_t> words{static_cast<std::uint32_t>(picked.size())};
    const auto put = [&words](float value) {
      words.push_back(std::bit_cast<std::uint32_t>(value));
    };
    for (const auto c : picked) put(static_cast<float>(found.s[c] / p[c]));
    for (const auto c : picked) {
      for (std::int64_t i = 0; i < grad.rows; ++i) put(found.u[c * grad.rows + i]);
    }
    for (const auto c : picked) {
      for (std::int64_t j = 0; j < grad.cols; ++j) put(found.v[c * grad.cols + j]);
    }
    return words;
  }

  std::int64_t rank_;
  bool independent_;
};

}  // namespace

std::unique_ptr<Compressor> make_atomo(std::uint16_t number, Options& options,
                                       std::unique_ptr<Compressor>) {
  const auto rank = options.integer("rank", 2, 1, 1 << 16);
  return std::make_unique<Atomo>(number, rank, options.flag("independent", false));
}

}  // namespace terse
