// Minimum size: small tensors are sent as they are.
//
//   worker:    small = the tensors of fewer than `size` values; large = the others
//              send the values of small (in the last phase), then what is inside sends of large
//   exchange:  the weighted mean of small; large as what is inside does it
//   worker:    the mean of small, then large as what is inside decodes it
//
// Linear if what is inside is. Otherwise the payload begins with the numbers of plain tensors and
// of plain values (u32 each), because whoever combines packets knows no shapes. What is inside sees
// a bucket without the small tensors: the shared coins of a vote follow the coordinates of that.
//
// Payload: 4 bytes a value of small (+ 8 if not linear) + the payload inside.
// Source: common practice; the PowerSGD and Deep Gradient Compression codes exempt biases and
// normalisation parameters so.
#include <fmt/format.h>

#include <limits>
#include <optional>

#include "core/error.hpp"
#include "optim/compressors/payload.hpp"
#include "optim/decorators/decorator.hpp"
#include "optim/kernels/vector.hpp"

namespace terse {
namespace {

// What is sent plainly, and so is kept from the compressor inside.
struct Plain {
  std::uint32_t tensors = 0, values = 0;
  bool operator==(const Plain&) const = default;
};

// A payload taken apart.
struct Parts {
  Plain plain;
  std::span<const float> values;  // of the small tensors; none but in the last phase
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
  void combine(const Round& round, std::span<const Packet> up, std::span<const float> weights,
               Packet& down) override;
  void decode(const Round& round, const Packet& down, std::span<const GradView> out) override {
    const auto parts = reveal(round, down, out);
    inner_->decode(inside(round, parts.plain), parts.inner, large(out));
  }
  void said(const Round& round, const Packet& own, std::span<const GradView> out) const override {
    const auto parts = reveal(round, own, out);
    inner_->said(inside(round, parts.plain), parts.inner, large(out));
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override;

 private:
  using Views = std::vector<GradView>;
  Views small(std::span<const GradView> views) const { return select(views, true); }
  Views large(std::span<const GradView> views) const { return select(views, false); }
  Views select(std::span<const GradView> views, bool small) const;
  Plain plain_of(std::span<const GradView> views) const;
  bool is_linear(const Round& round) const { return inner_->traits(round.step).linear; }

  // The round of what is inside: fewer coordinates.
  static Round inside(const Round& round, const Plain& plain) {
    auto inner = round;
    inner.count -= plain.values;
    return inner;
  }
  // Makes a packet around `inner`'s payload; returns the room for the plain values.
  std::span<float> join(const Round& round, const Plain& plain, const Packet& inner,
                        Packet& joined) const;
  // `expected` is what the shapes say, if they are known; a linear payload does not say it.
  Parts split(const Round& round, const Packet& packet, const std::optional<Plain>& expected) const;
  // Writes the plain values of a packet about `views`.
  Parts reveal(const Round& round, const Packet& packet, std::span<const GradView> views) const;

  std::int64_t size_;
};

MinSize::Views MinSize::select(std::span<const GradView> views, bool small) const {
  Views some;
  for (const auto& view : views) {
    if ((std::ssize(view.data) < size_) == small) some.push_back(view);
  }
  return some;
}

Plain MinSize::plain_of(std::span<const GradView> views) const {
  const auto plain = small(views);
  return {static_cast<std::uint32_t>(plain.size()), static_cast<std::uint32_t>(count(plain))};
}

std::span<float> MinSize::join(const Round& round, const Plain& plain, const Packet& inner,
                               Packet& joined) const {
  auto header = inner.header();
  header.tensors += plain.tensors;
  const std::size_t lead = is_linear(round) ? 0 : sizeof(Plain);
  const std::size_t values = last_phase(round) ? plain.values : 0;
  joined.start(header, lead + values * sizeof(float) + inner.payload().size());
  ByteWriter out(joined.payload());
  if (lead > 0) out.put(plain);
  const auto room = out.take(values * sizeof(float));
  out.put(inner.payload());
  return {reinterpret_cast<float*>(room.data()), values};
}

Parts MinSize::split(const Round& round, const Packet& packet,
                     const std::optional<Plain>& expected) const {
  ByteReader in(packet.payload());
  const auto plain = is_linear(round) ? expected.value() : in.get<Plain>();
  const auto wanted = expected.value_or(plain);
  auto header = packet.header();
  check<PacketError>(plain == wanted, "packet: {} plain values in {} tensors; {} in {} are wanted",
                     plain.values, plain.tensors, wanted.values, wanted.tensors);
  check<PacketError>(plain.tensors <= header.tensors && plain.values <= round.count,
                     "packet: {} plain values in {} tensors; there are {} in {}", plain.values,
                     plain.tensors, round.count, header.tensors);
  const std::size_t values = last_phase(round) ? plain.values : 0;
  const auto room = in.take(values * sizeof(float));
  const auto rest = in.take(in.left());
  header.tensors -= plain.tensors;
  Parts parts{plain, {reinterpret_cast<const float*>(room.data()), values}, {header, rest.size()}};
  ByteWriter(parts.inner.payload()).put(rest);
  return parts;
}

void MinSize::encode(const Round& round, std::span<const GradView> grads, Packet& up) {
  const auto plain = plain_of(grads);
  Packet inner;
  inner_->encode(inside(round, plain), large(grads), inner);
  auto values = join(round, plain, inner, up);
  if (values.empty()) return;
  for (const auto& grad : small(grads)) {
    codec::copy_to(grad.data, values.first(grad.data.size()));
    values = values.subspan(grad.data.size());
  }
}

void MinSize::combine(const Round& round, std::span<const Packet> up,
                      std::span<const float> weights, Packet& down) {
  check<PacketError>(!up.empty(), "min: packets of no worker");
  std::optional<Plain> plain;  // what the first packet says, and the others must
  std::vector<Parts> parts;
  std::vector<Packet> inner_up;
  for (const auto& packet : up) {
    parts.push_back(split(round, packet, plain));
    plain = parts.back().plain;
    inner_up.push_back(std::move(parts.back().inner));
  }
  Packet inner;
  inner_->combine(inside(round, *plain), inner_up, weights, inner);
  const auto mean = join(round, *plain, inner, down);
  std::ranges::fill(mean, 0.0F);
  for (std::size_t w = 0; w < up.size(); ++w) {
    codec::add_scaled_to(parts[w].values, weights[w], mean);
  }
}

Parts MinSize::reveal(const Round& round, const Packet& packet,
                      std::span<const GradView> views) const {
  const auto plain = plain_of(views);
  check<PacketError>(packet.header().tensors == views.size(),
                     "packet: for {} tensors; {} is wanted", packet.header().tensors, views.size());
  auto parts = split(round, packet, plain);
  // A linear answer is a sum; the other is the mean already.
  const float workers = is_linear(round) ? expect_weight(packet) : 1.0F;
  auto values = parts.values;
  if (values.empty()) return parts;
  for (const auto& view : small(views)) {
    codec::divide_to(values.first(view.data.size()), workers, view.data);
    values = values.subspan(view.data.size());
  }
  return parts;
}

std::vector<Field> MinSize::fields(const Round& round, const Packet& up,
                                   std::span<const GradView> shape) const {
  const auto plain = plain_of(shape);
  const auto parts = split(round, up, plain);
  FieldList list(up);
  if (!is_linear(round)) list.indices("plain tensors and values", 2);
  if (!parts.values.empty()) {
    for (const auto& view : small(shape)) {
      list.floats("values " + shape_text(view), std::ssize(view.data));
    }
  }
  list.append(inner_->fields(inside(round, plain), parts.inner, large(shape)));
  return list.take();
}

}  // namespace

std::unique_ptr<Compressor> make_min_size(std::uint16_t, Options& options,
                                          std::unique_ptr<Compressor> inner) {
  const auto size = options.integer("size", 1000, 0, std::numeric_limits<std::int64_t>::max());
  return std::make_unique<MinSize>(size, std::move(inner));
}

}  // namespace terse
