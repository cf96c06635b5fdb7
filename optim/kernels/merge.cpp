#include "tersegrad/optim/kernels/merge.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "tersegrad/core/parallel.hpp"

namespace terse::kernels {

void merge(std::span<const SparseTerm> terms, std::int64_t n, std::vector<std::uint32_t>& at,
           std::vector<float>& values) {
  constexpr std::uint32_t kBlock = 4096, kBits = 32;
  std::array<float, kBlock> sums{};
  std::array<std::uint32_t, kBlock / kBits> touched{};
  std::vector<std::size_t> next(terms.size());
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const auto first = static_cast<std::uint32_t>(begin);
    bool any = false;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const auto& term = terms[t];
      auto entry = next[t];
      for (; entry < term.at.size() && term.at[entry] - first < kBlock; ++entry) {
        const auto i = term.at[entry] - first;
        sums[i] += term.weight * term.values[entry];
        touched[i / kBits] |= 1U << (i % kBits);
      }
      any = any || entry > next[t];
      next[t] = entry;
    }
    if (!any) continue;
    for (std::uint32_t word = 0; word < touched.size(); ++word) {
      for (auto bits = std::exchange(touched[word], 0U); bits != 0; bits &= bits - 1) {
        const auto i = kBits * word + static_cast<std::uint32_t>(std::countr_zero(bits));
        at.push_back(first + i);
        values.push_back(std::exchange(sums[i], 0.0F));
      }
    }
  }
}

void place(std::span<const std::uint32_t> at, std::span<const float> values, std::int64_t first,
           std::span<float> out) {
  constexpr std::int64_t kPiece = 1 << 15;
  parallel_for(std::ssize(out), kPiece, [&](std::int64_t begin, std::int64_t end) {
    std::fill(out.begin() + begin, out.begin() + end, 0.0F);
    const auto stop = first + end;
    auto entry = static_cast<std::size_t>(std::ranges::lower_bound(at, first + begin) - at.begin());
    for (; entry < at.size() && at[entry] < stop; ++entry) out[at[entry] - first] = values[entry];
  });
}

}  // namespace terse::kernels
