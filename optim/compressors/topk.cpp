// Top-k: the coordinates of largest magnitude, exactly.
//
//   worker w:  for each tensor of n values: k = max(1, floor(ratio n))
//              I_w = the k coordinates of largest |x_i|; ties: the lowest i; |NaN| is infinite
//              send I_w ascending, then the values x_i, i in I_w
//   exchange:  s_i = sum over the w with i in I_w of weight_w x_w,i, in the order of the workers
//              send the i of any I_w ascending, then the s_i - or all s if that is no longer
//   worker:    mean = s, 0 elsewhere
//
// scope=model chooses the k of the whole model instead, which must then be one bucket.
// A coordinate is its place in the bucket. Every entry is 8 bytes: u32 and f32.
// |C(x) - x|^2 <= (1 - k/n) |x|^2, with equality iff all magnitudes are equal.
//
// Payload: 8 k bytes up; down 8 |union| or 4 d bytes. Time: O(d) up, O(d + W k) in the exchange.
// Source: Aji and Heafield, arXiv 1704.05021; Stich et al., arXiv 1809.07599; as "Top K" in
// arXiv 1905.13727, appendix.
#include <array>
#include <numeric>

#include "core/error.hpp"
#include "optim/compressors/keep.hpp"
#include "optim/compressors/payload.hpp"
#include "optim/kernels/bits.hpp"
#include "optim/kernels/select.hpp"
#include "optim/kernels/vector.hpp"

namespace terse {
namespace {

// The entries of a payload: coordinates, then as many values.
struct Entries {
  std::span<const std::uint32_t> indices;
  std::span<const float> values;

  // PacketError unless the coordinates ascend and lie below n.
  Entries(const Packet& packet, std::int64_t n) {
    const auto words = packet.words();
    check<PacketError>(words.size() % 2 == 0, "packet: half an entry of coordinate and value");
    indices = words.first(words.size() / 2);
    values = as_floats(words.last(words.size() / 2));
    std::int64_t before = -1;
    for (const std::int64_t i : indices) {
      check<PacketError>(i > before && i < n, "packet: coordinate {} after {}, of {}", i, before,
                         n);
      before = i;
    }
  }
};

class TopK final : public Compressor {
 public:
  TopK(std::uint16_t number, Keep keep, bool whole_model)
      : number_(number), keep_(keep), whole_model_(whole_model) {}

  std::string spec() const override {
    return fmt::format("topk:{},scope={}", keep_.text(), whole_model_ ? "model" : "tensor");
  }
  Traits traits(std::uint64_t) const override { return {.whole_model = whole_model_}; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    select(grads);
    up.start(header_for(round, number_, PacketKind::up, grads.size()),
             chosen_.size() * 2 * sizeof(std::uint32_t));
    std::ranges::copy(chosen_, up.words().begin());
    const auto values = up.floats().last(chosen_.size());
    std::size_t entry = 0, first = 0;
    for (const auto& grad : grads) {
      const auto end = first + grad.data.size();
      for (; entry < chosen_.size() && chosen_[entry] < end; ++entry) {
        values[entry] = grad.data[chosen_[entry] - first];
      }
      first = end;
    }
  }

  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override;

  void decode(const Round& round, const Packet& down, std::span<const GradView> out) override {
    down.expect(number_, round.phase, out.size());
    if (std::ssize(down.words()) != count(out)) return scatter(down, out);
    auto values = down.floats();
    for (const auto& view : out) {
      codec::copy_to(values.first(view.data.size()), view.data);
      values = values.subspan(view.data.size());
    }
  }

  void said(const Round& round, const Packet& own, std::span<const GradView> out) const override {
    own.expect(number_, round.phase, out.size());
    scatter(own, out);
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView>) const override {
    const auto entries = std::ssize(up.payload()) / 8;
    FieldList list(up);
    list.indices("coordinates", entries);
    list.floats("values", entries);
    return list.take();
  }

 private:
  // chosen_ = the coordinates to send, ascending.
  void select(std::span<const GradView> grads) {
    keys_.resize(static_cast<std::size_t>(count(grads)));
    chosen_.clear();
    std::int64_t first = 0;
    for (const auto& grad : grads) {
      const auto keys = std::span(keys_).subspan(first, grad.data.size());
      codec::magnitude_keys(grad.data, keys);
      const auto start = static_cast<std::uint32_t>(first);
      if (!whole_model_) codec::select_largest(keys, keep_.of(std::ssize(keys)), start, chosen_);
      first += std::ssize(keys);
    }
    if (whole_model_) codec::select_largest(keys_, keep_.of(first), 0, chosen_);
  }

  static void scatter(const Packet& packet, std::span<const GradView> out) {
    const Entries entries(packet, count(out));
    std::size_t entry = 0, first = 0;
    for (const auto& view : out) {
      const auto end = first + view.data.size();
      std::ranges::fill(view.data, 0.0F);
      for (; entry < entries.indices.size() && entries.indices[entry] < end; ++entry) {
        view.data[entries.indices[entry] - first] = entries.values[entry];
      }
      first = end;
    }
  }

  std::uint16_t number_;
  Keep keep_;
  bool whole_model_;
  // Room that is used again: no state.
  std::vector<std::uint32_t> keys_, chosen_;
  std::vector<float> sum_;
  std::vector<std::uint32_t> touched_;  // a bit for each coordinate in any packet
};

void TopK::combine(const Round& round, std::span<const GradView>, std::span<const Packet> up,
                   std::span<const float> weights, Packet& down) {
  check<PacketError>(!up.empty(), "topk: packets of no worker");
  const auto tensors = up.front().header().tensors;
  const auto n = static_cast<std::size_t>(round.count);
  sum_.assign(n, 0.0F);
  touched_.assign(static_cast<std::size_t>(codec::words_for(round.count)), 0U);
  for (std::size_t w = 0; w < up.size(); ++w) {
    up[w].expect(number_, round.phase, tensors);
    const Entries entries(up[w], round.count);
    for (std::size_t entry = 0; entry < entries.indices.size(); ++entry) {
      const auto i = entries.indices[entry];
      sum_[i] += weights[w] * entries.values[entry];
      touched_[i / 32] |= 1U << (i % 32);
    }
  }

  const auto in_union = std::transform_reduce(touched_.begin(), touched_.end(), std::size_t{0},
                                              std::plus<>(), std::popcount<std::uint32_t>);
  auto header = header_for(round, number_, PacketKind::down, tensors);
  header.weight = static_cast<std::uint16_t>(up.size());
  if (2 * in_union >= n) {
    down.start(header, n * sizeof(float));
    codec::copy_to(sum_, down.floats());
    return;
  }
  down.start(header, in_union * 2 * sizeof(std::uint32_t));
  const auto indices = down.words().first(in_union);
  const auto values = down.floats().last(in_union);
  std::size_t entry = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    if ((touched_[i / 32] >> (i % 32) & 1U) == 0) continue;
    indices[entry] = i;
    values[entry++] = sum_[i];
  }
}

}  // namespace

std::unique_ptr<Compressor> make_topk(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kScopes{"tensor", "model"};
  const auto keep = Keep::parse(options);
  const auto scope = options.choice("scope", "tensor", kScopes);
  return std::make_unique<TopK>(number, keep, scope == "model");
}

}  // namespace terse
