#include "optim/kernels/stochastic_sign.hpp"

#include "optim/kernels/bits.hpp"

namespace terse::codec {

void pack_stochastic(std::span<const float> x, double bound, const Philox& draws, std::int64_t at,
                     std::span<std::uint32_t> plane) {
  if (!(bound > 0)) return;
  const double scale = 0.5 / bound;
  // A word of the plane holds two tensors' bits, so tensors are packed one after the other and the
  // pieces of one meet at the plane's words.
  const auto n = std::ssize(x), lead = at % kWordBits;
  parallel_for(words_for(lead + n), kGrain / kWordBits, [&](std::int64_t begin, std::int64_t end) {
    auto i = std::max<std::int64_t>(0, begin * kWordBits - lead);
    const auto last = std::min(n, end * kWordBits - lead);
    auto random = draws;
    random.seek(static_cast<std::uint64_t>(i / 4 * 4));
    for (auto skip = i % 4; skip > 0; --skip) random.next();
    for (; i < last; ++i) {
      const double u = (random.next() + 0.5) * 0x1p-32;
      const auto minus = std::uint32_t{u >= 0.5 + scale * x[i]};
      plane[(at + i) / kWordBits] |= minus << ((at + i) % kWordBits);
    }
  });
}

}  // namespace terse::codec
