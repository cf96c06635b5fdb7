// Minimum size: small tensors are sent uncompressed.
//
//   worker:    small = the tensors of fewer than `size` values; large = the others
//              send the values of small, in the last phase, then the inner payload of large
//   exchange:  the weighted mean of small; large as in the inner stage
//   worker:    the mean of small; large as decoded by the inner stage
//
// It is linear if the inner stage is. The inner stage sees a bucket without the small tensors: the
// shared coins of a vote belong to coordinates of that bucket.
//
// Payload: 4 bytes per value of small + the inner payload.
// Source: common practice; the PowerSGD and Deep Gradient Compression codes exempt biases and
// normalisation parameters in this way.
#include <fmt/format.h>

#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

using Views = std::vector<GradView>;

// A bucket's tensors: those that are sent uncompressed, and those for the inner stage.
struct Sizes {
  Views small, large;

  Sizes(std::span<const GradView> views, std::int64_t size) {
    for (const auto& view : views) {
      (std::ssize(view.data) < size ? small : large).push_back(view);
    }
  }
  // The round of the inner stage, which has fewer coordinates.
  Round inside(Round round) const {
    round.count = count(large);
    return round;
  }
};

// The parts of a packet.
struct PacketParts {
  std::span<const std::uint32_t> plain;  // the values of the small tensors, in the last phase
  Packet inner;
};

class MinSize final : public Decorator {
 public:
  MinSize(std::int64_t size, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), size_(size) {}

  std::string spec() const override { return around(fmt::format("min:size={}", size_)); }

  Traits traits(std::uint64_t step) const override {
    auto traits = inner_->traits(step);
    traits.sliceable = false;
    return traits;
  }
  bool is_contraction() const override { return inner_->is_contraction(); }
  std::optional<double> contraction(std::uint64_t step,
                                    std::span<const GradView> shape) const override {
    return inner_->contraction(step, Sizes(shape, size_).large);
  }
  std::optional<double> variance(std::uint64_t step,
                                 std::span<const GradView> shape) const override {
    return inner_->variance(step, Sizes(shape, size_).large);
  }
  std::vector<Remark> remarks(std::uint64_t step, std::span<const GradView> shape) const override {
    return inner_->remarks(step, Sizes(shape, size_).large);
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override;
  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override;
  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override {
    const Sizes sizes(shape, size_);
    inner_->advance(sizes.inside(round), split(round, down, sizes).inner, sizes.large);
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    const Sizes sizes(scratch, size_);
    const auto parts = split(round, down, sizes);
    unpack_small(round, down, parts, sizes);
    materialize(inner_->decode(sizes.inside(round), parts.inner, sizes.large), sizes.large);
    return written(round, scratch);
  }
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    const Sizes sizes(out, size_);
    const auto parts = split(round, own, sizes);
    unpack_small(round, own, parts, sizes);
    inner_->reconstruct(sizes.inside(round), parts.inner, sizes.large);
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;

 private:
  // Makes a packet around the payload of `inner`. Returns where the plain values are to be written.
  PayloadWriter join(const Round& round, const Sizes& sizes, const Packet& inner,
                     Packet& joined) const;
  PacketParts split(const Round& round, const Packet& packet, const Sizes& sizes) const;
  // Writes the values of the small tensors.
  void unpack_small(const Round& round, const Packet& packet, const PacketParts& parts,
                    const Sizes& sizes) const;
  std::int64_t plain_values(const Round& round, const Sizes& sizes) const {
    return last_phase(round) ? count(sizes.small) : 0;
  }

  std::int64_t size_;
};

PayloadWriter MinSize::join(const Round& round, const Sizes& sizes, const Packet& inner,
                            Packet& joined) const {
  auto header = inner.header();
  header.tensors += static_cast<std::uint32_t>(sizes.small.size());
  const auto n = static_cast<std::size_t>(plain_values(round, sizes));
  joined.start(header, n * sizeof(float) + inner.payload().size());
  PayloadWriter out(joined.words());
  PayloadWriter plain(out.next_words(n));
  std::ranges::copy(inner.words(), out.rest().begin());
  return plain;
}

PacketParts MinSize::split(const Round& round, const Packet& packet, const Sizes& sizes) const {
  auto header = packet.header();
  const auto tensors = sizes.small.size() + sizes.large.size();
  check<PacketError>(header.tensors == tensors, "packet: expected {} tensors; got {}", tensors,
                     header.tensors);
  header.tensors = static_cast<std::uint32_t>(sizes.large.size());
  PayloadReader in(packet.words());
  const auto plain = in.next_words(static_cast<std::size_t>(plain_values(round, sizes)));
  const auto rest = in.rest();
  PacketParts parts{plain, {header, rest.size_bytes()}};
  std::ranges::copy(rest, parts.inner.words().begin());
  return parts;
}

void MinSize::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  const Sizes sizes(grads, size_);
  Packet inner;
  inner_->encode(sizes.inside(round), sizes.large, inner);
  auto plain = join(round, sizes, inner, up);
  if (!last_phase(round)) return;
  for (const auto& grad : sizes.small) {
    kernels::copy_to(grad.data, plain.next_floats(grad.data.size()));
  }
}

void MinSize::combine(const Round& round, std::span<const GradView> shape,
                      std::span<const Packet> up, std::span<const float> weights, Packet& down) {
  check<PacketError>(!up.empty(), "min: expected at least 1 packet; got 0");
  const Sizes sizes(shape, size_);
  std::vector<std::span<const float>> plain;
  std::vector<Packet> inner_up;
  for (const auto& packet : up) {
    auto parts = split(round, packet, sizes);
    plain.push_back(as_floats(parts.plain));
    inner_up.push_back(std::move(parts.inner));
  }
  Packet inner;
  inner_->combine(sizes.inside(round), sizes.large, inner_up, weights, inner);
  const auto mean = as_floats(join(round, sizes, inner, down).rest());
  std::ranges::fill(mean, 0.0F);
  for (std::size_t w = 0; w < up.size(); ++w) kernels::add_scaled_to(plain[w], weights[w], mean);
}

void MinSize::unpack_small(const Round& round, const Packet& packet, const PacketParts& parts,
                           const Sizes& sizes) const {
  if (parts.plain.empty()) return;
  // The down packet of a linear stage is a sum; any other is the mean already.
  const float workers = inner_->traits(round.step).linear ? expect_contributors(packet) : 1.0F;
  PayloadReader plain(parts.plain);
  for (const auto& view : sizes.small) {
    kernels::divide_to(plain.next_floats(view.data.size()), workers, view.data);
  }
}

std::vector<Field> MinSize::fields(const Round& round, const Packet& up,
                                   std::span<const GradView> shape) const {
  const Sizes sizes(shape, size_);
  const auto parts = split(round, up, sizes);
  FieldList list(up);
  if (!parts.plain.empty()) {
    for (const auto& view : sizes.small) {
      list.floats("values " + shape_text(view), std::ssize(view.data));
    }
  }
  list.append(inner_->fields(sizes.inside(round), parts.inner, sizes.large));
  return list.take();
}

}  // namespace

std::unique_ptr<Compressor> make_min_size(std::uint16_t, Options& options,
                                          std::unique_ptr<Compressor> inner) {
  const auto size = options.integer("size", 1000, 0, std::numeric_limits<std::int64_t>::max());
  return std::make_unique<MinSize>(size, std::move(inner));
}

}  // namespace terse
