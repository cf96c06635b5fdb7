// The kernels of optim/kernels, with special values (such as NaN and infinities) at every index:
// each instruction set level gives the same bits as the lowest one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/kernels/bit_fields.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/feedback.hpp"
#include "tersegrad/optim/kernels/half.hpp"
#include "tersegrad/optim/kernels/levels.hpp"
#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/kernels/merge.hpp"
#include "tersegrad/optim/kernels/select.hpp"
#include "tersegrad/optim/kernels/stochastic_sign.hpp"
#include "tersegrad/optim/kernels/tally.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tests/core/each_level.hpp"

namespace terse::kernels {
namespace {

using Limits = std::numeric_limits<float>;
using Floats = std::vector<float>;
using Words = std::vector<std::uint32_t>;

constexpr std::int64_t kCount = 3 * 64 + 21;  // full vectors of every width, and a remainder

// The results of the kernels by name, as bits. All NaNs count as equal.
class Results {
 public:
  void add(const char* name, std::span<const float> values) {
    auto& words = begin(name);
    for (const float value : values) {
      words.push_back(std::isnan(value) ? 0x7fc00000U : std::bit_cast<std::uint32_t>(value));
    }
  }
  void add(const char* name, double value) {
    const auto bits = std::isnan(value) ? 0x7ff8000000000000U : std::bit_cast<std::uint64_t>(value);
    begin(name) = {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
  }
  template <class Integer>
  void add(const char* name, const std::vector<Integer>& values) {
    begin(name).assign(values.begin(), values.end());
  }
  // Records of each value only whether it is NaN, for sums whose order depends on the level.
  void add_nans(const char* name, std::span<const float> values) {
    auto& words = begin(name);
    for (const float value : values) words.push_back(std::isnan(value) ? 1 : 0);
  }

  std::vector<std::pair<std::string, Words>> all;

 private:
  Words& begin(const char* name) { return all.emplace_back(name, Words()).second; }
};

Draws draws() {
  return Draws(Philox(3, {.purpose = Purpose::test}));
}

void run_bits(const Floats& x, const Floats& y, float special, Results& results) {
  const auto n = std::ssize(x);
  constexpr std::int64_t kAt = 7;
  Words negative(static_cast<std::size_t>(words_for(n + kAt))), nonzero(negative.size());
  pack_negative(x, kAt, negative);
  pack_nonzero(x, kAt, nonzero);
  results.add("pack_negative", negative);
  results.add("pack_nonzero", nonzero);
  Words tossed(negative.size());
  pack_negative_or_toss(x, kAt, Coins(3, 4, Purpose::test), 100, tossed);
  results.add("pack_negative_or_toss", tossed);
  const std::array<std::span<const std::uint32_t>, 3> planes{negative, nonzero, negative};
  for (const float scale : {0.25F, special}) {
    auto out = y;
    unpack_signs(negative, kAt, scale, out);
    results.add("unpack_signs", out);
    out = y;
    add_signs(negative, kAt, scale, out);
    results.add("add_signs", out);
    add_ternary(nonzero, negative, kAt, scale, out);
    results.add("add_ternary", out);
    sum_signs(planes, kAt, std::array{1.5F, scale, 3.0F}, out);
    results.add("sum_signs", out);
    unpack_ternary(nonzero, negative, kAt, out);
    results.add("unpack_ternary", out);
    unpack_counts(
        planes, kAt, [](std::uint32_t count) { return static_cast<float>(count); }, out);
    results.add("unpack_counts", out);
  }
  auto e = y;
  Words plane(negative.size());
  results.add("|pack_signs|", pack_signs(x, kAt, plane));
  results.add("pack_signs", plane);
  std::ranges::fill(plane, 0U);
  results.add("|feed_back_signs|", feed_back_signs(x, 0.75F, 0.125F, e, kAt, plane));
  results.add("feed_back_signs", e);
  results.add("signs of feed_back_signs", plane);
  subtract_signs(special, e);
  results.add("subtract_signs", e);
  std::ranges::fill(plane, 0U);
  pack_stochastic(x, largest_magnitude(x), draws(), kAt, plane);
  results.add("pack_stochastic", plane);
  Tally tally(planes.size(), static_cast<int>(plane.size()),
              [&](std::size_t v, const TallyLanes& lanes, auto& words) {
                lanes.load(planes[v].data(), words);
              });
  for (std::size_t w = 0; w < plane.size(); ++w) plane[w] = tally.word(1, static_cast<int>(w));
  results.add("Tally", plane);
}

void run_codes(const Floats& x, const Floats& y, float special, Results& results) {
  const float largest = largest_magnitude(x);
  results.add("largest_magnitude", std::array{largest});
  for (const int levels : {1, 7, 100}) {
    std::vector<std::uint8_t> codes(x.size());
    for (const float norm : {largest, 1.0F, std::abs(special)}) {
      encode_levels(x, {levels, norm, norm}, draws(), 64, codes);
      results.add("encode_levels", codes);
      for (const float step : {0.5F, special}) {
        auto out = y;
        add_levels(codes, levels, step, out);
        results.add("add_levels", out);
      }
      results.add("largest_level", Words{static_cast<std::uint32_t>(largest_level(codes, levels))});
      const int bits = level_bits(levels) + 1;
      Words fields(static_cast<std::size_t>(words_for(std::ssize(codes) * bits)));
      pack_fields(codes, bits, fields);
      results.add("pack_fields", fields);
      unpack_fields(fields, bits, codes);
      results.add("unpack_fields", codes);
    }
  }
  std::vector<std::uint16_t> halves(x.size());
  to_fp16(x, halves);
  results.add("to_fp16", halves);
  for (const float weight : {0.5F, special}) {
    auto out = y;
    add_fp16(halves, weight, out);
    results.add("add_fp16", out);
    for (std::size_t i = 0; i < x.size(); ++i) halves[i] = to_bf16(x[i]);
    add_bf16(halves, weight, out);
    results.add("add_bf16", out);
  }
  std::vector<std::uint16_t> sum(x.size());
  to_bf16(y, sum);
  results.add("to_bf16", sum);
  add_rounded_bf16(halves, sum);
  results.add("add_rounded_bf16", sum);
  to_fp16(x, halves);
  to_fp16(y, sum);
  add_rounded_fp16(halves, sum);
  results.add("add_rounded_fp16", sum);
}

void run_selection(const Floats& x, const Floats& y, float special, Results& results) {
  Words magnitudes(x.size());
  magnitude_bits(x, magnitudes);
  results.add("magnitude_bits", magnitudes);
  LargestSelector selector;
  for (const std::size_t k : {1, 20}) {
    Words indices(k);
    Floats values(k);
    selector.select(x, 5, indices, values);
    results.add("select", indices);
    results.add("values of select", values);
    selector.select(magnitudes, indices);
    results.add("select of magnitudes", indices);
    auto residual = y;
    selector.accumulate_and_select(x, 0.75F, residual, true, 5, indices, values);
    results.add("accumulate_and_select", indices);
    results.add("values of accumulate_and_select", values);
    results.add("residual of accumulate_and_select", residual);
  }
  Found<std::uint32_t> found;
  Words indices;
  select_if(
      std::ssize(x), 0, [from = x.data()](std::int64_t i) { return std::abs(from[i]) > 0.5F; },
      found, indices);
  results.add("select_if", indices);
  Words at;
  Floats sums;
  const Words places = {0, 3, 64, 70};
  const std::array terms{SparseTerm{places, std::span(x).first(4), 0.5F},
                         SparseTerm{places, std::span(x).last(4), special}};
  merge(terms, std::ssize(x), at, sums);
  results.add("merge", sums);
  auto out = y;
  place(at, sums, 0, out);
  results.add("place", out);
}

void run_vectors(const Floats& x, const Floats& y, float special, Results& results) {
  const auto run = [&](const char* name, auto kernel) {
    auto to = y;
    kernel(to);
    results.add(name, to);
  };
  run("clear", [](auto& to) { clear(to); });
  run("copy_to", [&](auto& to) { copy_to(x, to); });
  run("add_to", [&](auto& to) { add_to(x, to); });
  run("subtract_from", [&](auto& to) { subtract_from(x, to); });
  for (const float factor : {0.3F, special}) {
    run("add_scaled_to", [&](auto& to) { add_scaled_to(x, factor, to); });
    run("scale_to", [&](auto& to) { scale_to(x, factor, to); });
    run("divide_to", [&](auto& to) { divide_to(x, factor, to); });
    run("blend_to", [&](auto& to) { blend_to(x, 0.9F, factor, to); });
    run("step_estimate", [&](auto& to) {
      auto h = x;
      step_estimate(h, factor, to);
      results.add("estimate", h);
    });
  }
  results.add("norm1", norm1(x));
  results.add("sum_of_squares", sum_of_squares(x));
  results.add("dot", dot(x, y));
}

// These kernels fuse multiplications and additions, and the order of addition depends on the
// level's lanes.
void run_low_rank(const Floats& x, const Floats& y, Results& results) {
  constexpr std::int64_t kRows = 3, kColumns = kCount / kRows, kRank = 3;
  const MatrixView matrix{kRows, kColumns, x};
  Floats p(kRows * kRank, 0.5F), q(y.begin(), y.begin() + kColumns * kRank), to(y);
  times_q(matrix, kRank, q, p);
  results.add_nans("times_q", p);
  accumulate_and_times_q(y, 0.5F, {p, q}, to, kRows, kColumns, kRank, q, p);
  results.add_nans("accumulate_and_times_q", to);
  transposed_times_p(matrix, kRank, p, q);
  results.add_nans("transposed_times_p", q);
  outer_product(kRows, kColumns, kRank, p, q, to);
  results.add_nans("outer_product", to);
  outer_product_piece(kRows, kColumns, {p, q}, 5, std::span(to).subspan(5));
  results.add_nans("outer_product_piece", to);
  add_outer_product(kRows, kColumns, kRank, p, q, 0.5F, to);
  results.add_nans("add_outer_product", to);
  subtract_outer_product(kRows, kColumns, {p, q}, to);
  results.add_nans("subtract_outer_product", to);
}

Results results_of(float special, std::int64_t place) {
  const Philox random(9, {.purpose = Purpose::test});
  Floats x(kCount), y(kCount);
  for (std::int64_t i = 0; i < kCount; ++i) {
    x[i] = static_cast<float>(random.at(2 * i) >> 8) * 0x1p-23F - 1;
    y[i] = static_cast<float>(random.at(2 * i + 1) >> 8) * 0x1p-23F - 1;
    if (i % 64 == place) x[i] = special;
    if (i % 64 == place / 2) y[i] = special;
  }
  Results results;
  run_bits(x, y, special, results);
  run_codes(x, y, special, results);
  run_selection(x, y, special, results);
  run_vectors(x, y, special, results);
  if (!std::isfinite(special) || std::abs(special) < 1) run_low_rank(x, y, results);
  return results;
}

class LevelBits : public testing::TestWithParam<float> {};

TEST_P(LevelBits, AreThoseOfTheLowestLevel) {
  for (std::int64_t place = 0; place < 64; ++place) {
    Results lowest;
    at_each_level([&] {
      auto results = results_of(GetParam(), place);
      if (lowest.all.empty()) {
        lowest = std::move(results);
        return;
      }
      for (std::size_t r = 0; r < results.all.size(); ++r) {
        ASSERT_EQ(results.all[r], lowest.all[r])
            << fmt::format("{} at place {}", GetParam(), place);
      }
    });
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Values, LevelBits,
                         testing::Values(Limits::quiet_NaN(), -Limits::quiet_NaN(),
                                         Limits::infinity(), -Limits::infinity(), 0.0F, -0.0F,
                                         Limits::denorm_min(), -3 * Limits::denorm_min(),
                                         Limits::max(), Limits::lowest()),
                         [](const auto& value) { return fmt::format("Number{}", value.index); });

}  // namespace
}  // namespace terse::kernels
