#include "tersegrad/optim/kernels/sample.hpp"

#include <bit>

#include "tersegrad/optim/kernels/bits.hpp"

namespace terse::kernels {

std::vector<std::uint32_t> sample(std::int64_t n, std::int64_t k, Philox random) {
  std::vector<std::uint32_t> chosen(static_cast<std::size_t>(words_for(n)));  // a set of n bits
  const auto is_chosen = [&](std::int64_t i) { return (chosen[i / 32] >> (i % 32) & 1U) != 0; };
  for (std::int64_t last = n - k; last < n; ++last) {
    auto pick = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(last) + 1));
    if (is_chosen(pick)) pick = last;
    chosen[pick / 32] |= 1U << (pick % 32);
  }
  std::vector<std::uint32_t> indices;
  indices.reserve(static_cast<std::size_t>(k));
  for (std::size_t w = 0; w < chosen.size(); ++w) {
    for (auto word = chosen[w]; word != 0; word &= word - 1) {
      indices.push_back(static_cast<std::uint32_t>(w * 32) +
                        static_cast<std::uint32_t>(std::countr_zero(word)));
    }
  }
  return indices;
}

}  // namespace terse::kernels
