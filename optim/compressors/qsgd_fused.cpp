// QSGD: the sum of all packets in one pass over the mean, and what to prefetch. The results have
// the same bits as adding one packet after the other.
#include <algorithm>

#include "tersegrad/optim/compressors/qsgd.hpp"
#include "tersegrad/optim/kernels/bit_fields.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

const GradientSource& Qsgd::sum(const Round& round, std::span<const Weighted> packets,
                                std::span<const GradView> scratch) {
  if (options_.elias) return GatherCompressor::sum(round, packets, scratch);
  struct Tensor {
    std::span<const float> norms;
    std::span<const std::uint32_t> fields;
  };
  std::vector<Parts> all;
  for (const auto& packet : packets) all.push_back(split(packet.payload, scratch));
  std::vector<Tensor> tensors(packets.size());  // the same tensor of each packet
  for (const auto& view : scratch) {
    const auto n = std::ssize(view.data);
    for (std::size_t w = 0; w < packets.size(); ++w) {
      tensors[w] = {all[w].norms.next_floats(options_.buckets.of(n)),
                    all[w].codes.next_words(options_.field_words(n))};
      expect_padding(tensors[w].fields, n * options_.bits());
    }
    for_each_piece(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      const auto mean = view.data.subspan(begin, end - begin);
      std::ranges::fill(mean, 0.0F);
      std::array<std::uint8_t, kPiece> codes_buffer;
      const auto codes = std::span(codes_buffer).first(mean.size());
      for (std::size_t w = 0; w < packets.size(); ++w) {
        const auto& [norms, fields] = tensors[w];
        kernels::unpack_fields(
            fields.subspan(options_.field_words(begin), options_.field_words(end - begin)),
            options_.bits(), codes);
        add_codes(codes, packets[w].weight * norms[b], mean);
      }
    });
  }
  return written(round, scratch);
}

// This function returns what to prefetch instead of prefetching it (with_prefetch does). A function
// that only prefetches has no effect that GCC sees, and GCC would remove the calls.
std::array<std::span<const float>, 2> Qsgd::later_bucket(std::span<const float> x, std::int64_t end,
                                                         std::int64_t length) {
  const auto later = x.subspan(std::min(end + length, std::ssize(x)));
  const auto bucket = later.first(std::min({kPiece, length, std::ssize(later)}));
  const auto middle = bucket.size() / 2;
  return {bucket.first(middle), bucket.subspan(middle)};
}

}  // namespace terse
