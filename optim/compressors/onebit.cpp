// The quantiser of 1-bit SGD: one bit per value, and two values for every column of a matrix.
//
//   worker w:  for each column j:  p_j = mean of its x_ij >= 0, or 0 if there are none
//                                  m_j = mean of its x_ij < 0, or 0 if there are none
//              send p_j and m_j of all columns, then the bits x_ij < 0
//   exchange:  every worker receives all packets
//   worker:    mean_ij = sum over w of (m_j where the bit is set, else p_j) / W
//
// A tensor of one dimension is one column. C keeps the mean of every column. Of all matrices that
// have two values per column, one for each sign, C(x) is the nearest to x. C is biased: onebit+ef
// is 1-bit SGD. NaN counts as >= 0 and makes p_j NaN.
//
// Payload: p_0, m_0, p_1, … of all tensors, f32; then the bits of all tensors without gaps: 8 m + 4
// ceil(d/32) bytes for m columns in all.
// Time: two passes.
// Source: Seide et al., "1-bit stochastic gradient descent and its application to data-parallel
// distributed training of speech DNNs", Interspeech 2014.
#include <array>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/bits.hpp"

namespace terse {
namespace {

using kernels::kWordBits, kernels::words_for;

std::int64_t columns_of(const GradView& view) {
  return view.data.empty() ? 0 : view.cols;
}

// Sums and numbers of the two classes of values, for up to 64 columns.
struct ColumnSums {
  static constexpr std::int64_t kWidth = 64;
  std::array<double, kWidth> plus{}, minus{};
  std::array<std::int64_t, kWidth> negatives{};

  void add(const float* row, std::int64_t columns) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const bool negative = row[j] < 0;
      plus[j] += negative ? 0.0 : double{row[j]};
      minus[j] += negative ? double{row[j]} : 0.0;
      negatives[j] += negative ? 1 : 0;
    }
  }
};

// pairs = p_j and m_j of every column
void class_means(const GradView& grad, std::span<float> pairs) {
  const auto mean = [](double sum, std::int64_t n) {
    return n == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(n));
  };
  vectorized_for(columns_of(grad), ColumnSums::kWidth, [&](std::int64_t begin, std::int64_t end) {
    ColumnSums sums;
    for (std::int64_t i = 0; i < grad.rows; ++i) {
      sums.add(grad.data.data() + i * grad.cols + begin, end - begin);
    }
    for (auto j = begin; j < end; ++j) {
      const auto negatives = sums.negatives[j - begin];
      pairs[2 * j] = mean(sums.plus[j - begin], grad.rows - negatives);
      pairs[2 * j + 1] = mean(sums.minus[j - begin], negatives);
    }
  });
}

// out_i += weight · (m_j if bit i of the word is set, else p_j), for up to 32 values, the first of
// which is in `column`. Returns the column after the last value.
std::int64_t add_word(std::uint32_t word, std::span<const float> pairs, float weight,
                      std::int64_t column, std::int64_t columns, std::span<float> out) {
  float* to = out.data();
  if (std::ssize(out) >= kWordBits && column + kWordBits <= columns) {  // all of one row
    const float* pair = pairs.data() + 2 * column;
    for (std::int64_t i = 0; i < kWordBits; ++i) {
      const float plus = pair[2 * i], minus = pair[2 * i + 1];
      to[i] += weight * ((word >> i & 1U) != 0 ? minus : plus);
    }
    column += kWordBits;
    return column == columns ? 0 : column;
  }
  for (std::int64_t i = 0; i < std::min(kWordBits, std::ssize(out)); ++i) {
    to[i] += weight * pairs[2 * column + (word >> i & 1U)];
    if (++column == columns) column = 0;
  }
  return column;
}

class OneBit final : public GatherCompressor {
 public:
  using GatherCompressor::GatherCompressor;

  std::string spec() const override { return "onebit"; }
  bool is_contraction() const override { return true; }
  // C(x) is the projection of every column on two disjoint vectors of ones, which keeps at least
  // |column|² / rows.
  std::optional<double> contraction(std::uint64_t, std::span<const GradView> shape) const override {
    std::int64_t most = 1;
    for (const auto& view : shape) most = std::max(most, view.rows);
    return 1 / static_cast<double>(most);
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto pair_words = 2 * columns(grads);
    PayloadWriter payload(start(round, grads, pair_words + words_for(count(grads)), up));
    PayloadWriter pairs(payload.next_words(pair_words));
    const auto bits = payload.rest();
    std::ranges::fill(bits, 0U);
    std::int64_t at = 0;  // the tensor's first bit in a plane
    for (const auto& grad : grads) {
      class_means(grad, pairs.next_floats(2 * columns_of(grad)));
      kernels::pack_negative(grad.data, at, bits);
      at += std::ssize(grad.data);
    }
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto n = count(out);
    const auto pair_words = 2 * columns(out);
    PayloadReader in(payload, pair_words + words_for(n));
    PayloadReader all_pairs(in.next_words(pair_words));
    const auto bits = in.rest();
    expect_padding(bits, n);
    std::int64_t at = 0;  // the tensor's first bit in a plane
    for (const auto& view : out) {
      const auto pairs = all_pairs.next_floats(2 * columns_of(view));
      vectorized_for(words_for(std::ssize(view.data)), kernels::kGrain / kWordBits,
                     [&](std::int64_t begin, std::int64_t end) {
                       auto column = begin * kWordBits % view.cols;
                       for (auto w = begin; w < end; ++w) {
                         const auto first = w * kWordBits;
                         column = add_word(kernels::bits_from(bits, at + first), pairs, weight,
                                           column, view.cols, view.data.subspan(first));
                       }
                     });
      at += std::ssize(view.data);
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("means >= 0, < 0", 2 * columns(shape));
    list.words("sign bits", words_for(count(shape)));
    return list.take();
  }

 private:
  static std::int64_t columns(std::span<const GradView> views) {
    std::int64_t sum = 0;
    for (const auto& view : views) sum += columns_of(view);
    return sum;
  }
};

}  // namespace

std::unique_ptr<Compressor> make_onebit(std::uint16_t number, Options&,
                                        std::unique_ptr<Compressor>) {
  return std::make_unique<OneBit>(number);
}

}  // namespace terse
