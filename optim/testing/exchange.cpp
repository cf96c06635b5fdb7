#include "tersegrad/optim/testing/exchange.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

// Words [first, first + n) of every plane of a packet of `words` words per plane.
Packet slice_of(const Packet& packet, std::int64_t words, std::int64_t first, std::int64_t n) {
  const auto all = packet.words();
  const auto planes = std::ssize(all) / words;
  Packet slice(packet.header(), static_cast<std::size_t>(planes * n) * sizeof(std::uint32_t));
  for (std::int64_t p = 0; p < planes; ++p) {
    std::ranges::copy(all.subspan(p * words + first, n), slice.words().begin() + p * n);
  }
  return slice;
}

// The reverse of slice_of, for slices in order.
Packet join_slices(const std::vector<Packet>& slices, std::int64_t planes) {
  std::size_t bytes = 0;
  for (const auto& slice : slices) bytes += slice.payload().size();
  Packet joined(slices.front().header(), bytes);
  auto to = joined.words().begin();
  for (std::int64_t p = 0; p < planes; ++p) {
    for (const auto& slice : slices) {
      const auto n = std::ssize(slice.words()) / planes;
      to = std::ranges::copy(slice.words().subspan(p * n, n), to).out;
    }
  }
  return joined;
}

}  // namespace

Packet add_packets(const std::vector<Packet>& up) {
  auto header = up.front().header();
  header.kind = PacketKind::partial;
  header.contributors = static_cast<std::uint16_t>(up.size());
  Packet sum(header, up.front().payload().size());
  kernels::copy_to(up.front().floats(), sum.floats());
  for (std::size_t w = 1; w < up.size(); ++w) kernels::add_to(up[w].floats(), sum.floats());
  return sum;
}

TestExchange::TestExchange(const MakeCompressor& make, int workers, Options options)
    : options_(options) {
  for (int w = 0; w < workers; ++w) compressors_.push_back(make());
}

std::vector<OwnedGradients> TestExchange::step(std::vector<OwnedGradients> gradients) {
  internal_check(gradients.size() == compressors_.size(),
                 "TestExchange: expected one gradient per worker; got {} gradients and {} workers",
                 gradients.size(), compressors_.size());
  auto means = gradients;
  own_reconstruction_.clear();
  Bucket from, to;
  for (auto& worker : gradients) from.push_back(views_of(worker));
  for (auto& worker : means) to.push_back(views_of(worker));
  Round round{.seed = options_.seed,
              .step = step_,
              .workers = static_cast<std::uint32_t>(compressors_.size()),
              .lr = lr_};
  const std::size_t tensors = from.front().size();
  const std::size_t width = options_.bucket_per_tensor ? 1 : std::max<std::size_t>(1, tensors);
  for (std::size_t first = 0; first < std::max<std::size_t>(1, tensors); first += width) {
    Bucket bucket, out;
    for (const auto& views : from) {
      bucket.emplace_back(views.begin() + first, views.begin() + std::min(tensors, first + width));
    }
    for (const auto& views : to) {
      out.emplace_back(views.begin() + first, views.begin() + std::min(tensors, first + width));
    }
    round.count = count(bucket.front());
    run_bucket(round, bucket, out);
    round.first += round.count;
  }
  ++step_;
  return means;
}

OwnedGradients TestExchange::mean(const std::vector<OwnedGradients>& gradients) {
  auto means = step(gradients);
  for (const auto& other : means) {
    check(same_bits(other, means.front()), "{}: the workers decode different values",
          worker(0).spec());
  }
  return std::move(means.front());
}

void TestExchange::run_bucket(Round round, const Bucket& gradients, const Bucket& out) {
  const auto traits = compressors_.front()->traits(round.step);
  phases_.clear();
  for (round.phase = 0; round.phase < traits.phases; ++round.phase) {
    PhasePackets packets;
    packets.up.resize(compressors_.size());
    for (std::uint32_t w = 0; w < compressors_.size(); ++w) {
      round.worker = w;
      compressors_[w]->encode(round, gradients[w], packets.up[w]);
    }
    round.worker = 0;
    if (options_.record_reconstruction && round.phase == traits.phases - 1) {
      for (const auto& view : out.front()) {
        auto& tensor = own_reconstruction_.emplace_back(
            OwnedTensor{view.id, view.rows, view.cols, {}, view.kernel});
        tensor.values.resize(view.data.size());
      }
      const auto own = views_of(own_reconstruction_);
      worker(0).reconstruct(round, packets.up[0], std::span(own).last(out.front().size()));
    }
    packets.down = down_of(round, traits, out.front(), packets.up);
    for (std::uint32_t w = 0; w < compressors_.size(); ++w) {
      round.worker = w;
      decode(*compressors_[w], round, packets.down, out[w]);
    }
    phases_.push_back(std::move(packets));
  }
}

void TestExchange::decode(Compressor& compressor, const Round& round, const Packet& down,
                          std::span<const GradView> out) const {
  const bool last = round.phase == compressor.traits(round.step).phases - 1;
  if (!last || options_.read_at_once == 0) return decode_to(out, compressor, round, down);
  const auto& source = compressor.decode(round, down, out);
  std::vector<float> mean(static_cast<std::size_t>(count(out)));
  for (auto end = std::ssize(mean); end > 0; end -= std::min(end, options_.read_at_once)) {
    const auto first = std::max(std::int64_t{0}, end - options_.read_at_once);
    const auto scratch = std::span(mean).subspan(first, end - first);
    const auto values = source.read(first, scratch);
    if (values.data() != scratch.data()) std::ranges::copy(values, scratch.begin());
  }
  auto rest = std::span<const float>(mean);
  for (const auto& view : out) {
    kernels::copy_to(rest.first(view.data.size()), view.data);
    rest = rest.subspan(view.data.size());
  }
}

Packet TestExchange::down_of(const Round& round, const Traits& traits,
                             std::span<const GradView> shape, const std::vector<Packet>& up) {
  if (traits.linear) return add_packets(up);
  const std::vector<float> weights(up.size(), 1.0F / static_cast<float>(up.size()));
  if (traits.sliceable && options_.slice > 0 && round.count > options_.slice) {
    return combine_slices(round, up, weights);
  }
  Packet down;
  worker(0).combine(round, shape, up, weights, down);
  return down;
}

Packet TestExchange::combine_slices(const Round& round, const std::vector<Packet>& up,
                                    std::span<const float> weights) {
  const auto block_words = worker(0).traits(round.step).block_words;
  const auto words = block_words * kernels::words_for(round.count);
  std::vector<Packet> down;
  for (std::int64_t at = 0; at < round.count; at += options_.slice) {
    auto slice = round;
    slice.first = round.first + at;
    slice.count = std::min(options_.slice, round.count - at);
    slice.bucket_first = round.first;
    slice.bucket_count = round.count;
    const auto n = block_words * kernels::words_for(slice.count);
    std::vector<Packet> votes;
    for (const auto& packet : up) {
      votes.push_back(slice_of(packet, words, block_words * at / 32, n));
    }
    worker(0).combine(slice, {}, votes, weights, down.emplace_back());
  }
  const auto planes =
      std::ssize(down.front().words()) / (block_words * kernels::words_for(options_.slice));
  return join_slices(down, planes);
}

}  // namespace terse
