// Minimum size: small tensors are sent as they are.
//
//   worker:    small = the tensors of fewer than `size` values; large = the others
//              send the values of small (in the last phase), then what is inside sends of large
//   exchange:  the weighted mean of small; large as what is inside does it
//   worker:    the mean of small, then large as what is inside decodes it
//
// Linear if what is inside is. What is inside sees a bucket without the small tensors: the shared
// coins of a vote follow the coordinates of that.
//
// Payload: 4 bytes a value of small + the payload inside.
// Source: common practice; the PowerSGD and Deep Gradient Compression codes exempt biases and
// normalisation parameters so.
#include <fmt/format.h>

#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

using Views = std::vector<GradView>;

// A bucket's tensors: those that are sent as they are, and those for the compressor inside.
struct Sizes {
  Views small, large;

  Sizes(std::span<const GradView> views, std::int64_t size) {
    for (const auto& view : views) {
      (std::ssize(view.data) < size ? small : large).push_back(view);
    }
  }
  // The round of what is inside: fewer coordinates.
  Round inside(Round round) const {
    round.count = count(large);
    return round;
  }
};

// A payload taken apart.
struct PacketParts {
  std::span<const float> plain;  // the values of the small tensors; none but in the last phase
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
    reveal(round, down, parts, sizes);
    materialize(inner_->decode(sizes.inside(round), parts.inner, sizes.large), sizes.large);
    return written(round, scratch);
  }
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const override {
    const Sizes sizes(out, size_);
    const auto parts = split(round, own, sizes);
    reveal(round, own, parts, sizes);
    inner_->said(sizes.inside(round), parts.inner, sizes.large);
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;

 private:
  // Makes a packet around `inner`'s payload; returns the room for the plain values.
  std::span<float> join(const Round& round, const Sizes& sizes, const Packet& inner,
                        Packet& joined) const;
  PacketParts split(const Round& round, const Packet& packet, const Sizes& sizes) const;
  // Writes the plain values of a packet.
  void reveal(const Round& round, const Packet& packet, const PacketParts& parts,
              const Sizes& sizes) const;

  std::int64_t size_;
};

std::span<float> MinSize::join(const Round& round, const Sizes& sizes, const Packet& inner,
                               Packet& joined) const {
  auto header = inner.header();
  header.tensors += static_cast<std::uint32_t>(sizes.small.size());
  const auto plain = last_phase(round) ? static_cast<std::size_t>(count(sizes.small)) : 0;
  joined.start(header, plain * sizeof(float) + inner.payload().size());
  ByteWriter out(joined.payload());
  const auto room = out.take(plain * sizeof(float));
  out.put(inner.payload());
  return {reinterpret_cast<float*>(room.data()), plain};
}

PacketParts MinSize::split(const Round& round, const Packet& packet, const Sizes& sizes) const {
  auto header = packet.header();
  const auto tensors = sizes.small.size() + sizes.large.size();
  check<PacketError>(header.tensors == tensors, "packet: for {} tensors; {} is wanted",
                     header.tensors, tensors);
  ByteReader in(packet.payload());
  const auto plain = last_phase(round) ? static_cast<std::size_t>(count(sizes.small)) : 0;
  const auto room = in.take(plain * sizeof(float));
  const auto rest = in.take(in.left());
  header.tensors = static_cast<std::uint32_t>(sizes.large.size());
  PacketParts parts{{reinterpret_cast<const float*>(room.data()), plain}, {header, rest.size()}};
  ByteWriter(parts.inner.payload()).put(rest);
  return parts;
}

void MinSize::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  const Sizes sizes(grads, size_);
  Packet inner;
  inner_->encode(sizes.inside(round), sizes.large, inner);
  auto values = join(round, sizes, inner, up);
  if (values.empty()) return;
  for (const auto& grad : sizes.small) {
    kernels::copy_to(grad.data, values.first(grad.data.size()));
    values = values.subspan(grad.data.size());
  }
}

void MinSize::combine(const Round& round, std::span<const GradView> shape,
                      std::span<const Packet> up, std::span<const float> weights, Packet& down) {
  check<PacketError>(!up.empty(), "min: packets of no worker");
  const Sizes sizes(shape, size_);
  std::vector<std::span<const float>> plain;
  std::vector<Packet> inner_up;
  for (const auto& packet : up) {
    auto parts = split(round, packet, sizes);
    plain.push_back(parts.plain);
    inner_up.push_back(std::move(parts.inner));
  }
  Packet inner;
  inner_->combine(sizes.inside(round), sizes.large, inner_up, weights, inner);
  const auto mean = join(round, sizes, inner, down);
  std::ranges::fill(mean, 0.0F);
  for (std::size_t w = 0; w < up.size(); ++w) kernels::add_scaled_to(plain[w], weights[w], mean);
}

void MinSize::reveal(const Round& round, const Packet& packet, const PacketParts& parts,
                     const Sizes& sizes) const {
  if (parts.plain.empty()) return;
  // A linear answer is a sum; the other is the mean already.
  const float workers = inner_->traits(round.step).linear ? expect_weight(packet) : 1.0F;
  auto values = parts.plain;
  for (const auto& view : sizes.small) {
    kernels::divide_to(values.first(view.data.size()), workers, view.data);
    values = values.subspan(view.data.size());
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
