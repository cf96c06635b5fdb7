// Small compressors for tests: one for each kind of exchange.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::toy {

// The rule `usual`, or Adam for 1-bit Adam, which refuses others.
inline std::unique_ptr<UpdateRule> rule_for(std::string_view compressor, std::string_view usual) {
  const bool adam = compressor.find("onebit_adam") != std::string_view::npos;
  return make_update_rule(adam ? "adam" : usual);
}

constexpr std::uint16_t kNumber = 999;  // the compressor number in packet headers

class Toy : public Compressor {
 public:
  void combine(const Round&, std::span<const GradView>, std::span<const Packet>,
               std::span<const float>, Packet&) override {
    throw InternalError("toy: combine is not meant to be called");
  }
  void reconstruct(const Round&, const Packet&, std::span<const GradView>) const override {}
  std::vector<Field> fields(const Round&, const Packet&, std::span<const GradView>) const override {
    return {};
  }
};

inline void start(Packet& packet, const Round& round, PacketKind kind, std::size_t tensors,
                  std::size_t bytes) {
  packet.start(header_for(round, kNumber, kind, tensors), bytes);
}

// Linear: sends the gradient uncompressed.
class Plain final : public Toy {
 public:
  std::string spec() const override { return "toy_plain"; }
  Traits traits(std::uint64_t) const override { return {.linear = true}; }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    start(up, round, PacketKind::up, grads.size(),
          sizeof(float) * static_cast<std::size_t>(count(grads)));
    auto to = up.floats().begin();
    for (const auto& view : grads) to = std::ranges::copy(view.data, to).out;
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> out) override {
    check<PacketError>(down.header().kind == PacketKind::partial, "toy: expected a partial packet");
    std::size_t i = 0;
    for (const auto& view : out) {
      for (auto& value : view.data) value = down.floats()[i++] / down.header().contributors;
    }
    return written(round, out);
  }
};

// Two linear phases: first the sum of magnitudes of each tensor, then the gradient divided by the
// sums of all workers.
class Scaled final : public Toy {
 public:
  std::string spec() const override { return "toy_scaled"; }
  Traits traits(std::uint64_t) const override { return {.phases = 2, .linear = true}; }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    if (round.phase == 1) {
      plain_.encode(round, grads, up);
      for (std::size_t i = 0, t = 0; t < grads.size(); ++t) {
        for (std::size_t k = 0; k < grads[t].data.size(); ++k, ++i) up.floats()[i] /= scale_[t];
      }
      return;
    }
    start(up, round, PacketKind::up, grads.size(), sizeof(float) * grads.size());
    for (std::size_t t = 0; t < grads.size(); ++t) {
      float sum = 0.5F;
      for (const float value : grads[t].data) sum += std::abs(value);
      up.floats()[t] = sum;
    }
  }
  void advance(const Round&, const Packet& down, std::span<const GradView>) override {
    scale_.assign(down.floats().begin(), down.floats().end());
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> out) override {
    plain_.decode(round, down, out);
    for (std::size_t t = 0; t < out.size(); ++t) {
      for (auto& value : out[t].data) value *= scale_[t];
    }
    return written(round, out);
  }
  void serialize(Archive& archive) override { archive.item("scale", scale_); }

 private:
  Plain plain_;
  std::vector<float> scale_;  // by tensor: the result of phase 0
};

// Sliceable: sends signs; combine takes their majority. The down packet has `answer_planes` equal
// planes; that of the slice of `wrong_owner` has one plane too many.
class Vote final : public Toy {
 public:
  explicit Vote(std::size_t answer_planes = 1, int wrong_owner = -1)
      : answer_planes_(answer_planes), wrong_owner_(wrong_owner) {}
  std::string spec() const override { return "toy_vote"; }
  Traits traits(std::uint64_t) const override { return {.sliceable = true}; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    start(up, round, PacketKind::up, grads.size(), 4 * words(round));
    std::ranges::fill(up.payload(), std::byte{0});
    std::size_t i = 0;
    for (const auto& view : grads) {
      for (const float value : view.data) set(up.payload(), i++, value < 0);
    }
  }

  void combine(const Round& round, std::span<const GradView>, std::span<const Packet> up,
               std::span<const float>, Packet& down) override {
    const bool wrong = wrong_owner_ == static_cast<int>(round.worker);
    const std::size_t planes = answer_planes_ + (wrong ? 1 : 0);
    start(down, round, PacketKind::down, up.front().header().tensors, 4 * planes * words(round));
    std::ranges::fill(down.payload(), std::byte{0});
    for (std::size_t i = 0; i < static_cast<std::size_t>(round.count); ++i) {
      std::size_t votes = 0;
      for (const auto& packet : up) votes += get(packet.payload(), i) ? 1 : 0;
      // The result of a tie depends on the coordinate, so that the tests detect a misplaced slice.
      const bool odd = (static_cast<std::size_t>(round.first) + i) / 7 % 2 == 1;
      const bool negative = 2 * votes > up.size() || (2 * votes == up.size() && odd);
      for (std::size_t p = 0; p < planes; ++p)
        set(down.payload(), 32 * words(round) * p + i, negative);
    }
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> out) override {
    check<PacketError>(down.payload().size() == 4 * answer_planes_ * words(round), "toy: size");
    std::size_t i = 0;
    for (const auto& view : out) {
      for (auto& value : view.data) {
        const std::size_t last = 32 * words(round) * (answer_planes_ - 1) + i++;
        value = get(down.payload(), last) ? -1.0F : 1.0F;
      }
    }
    return written(round, out);
  }

 private:
  static std::size_t words(const Round& round) {
    return static_cast<std::size_t>((round.count + 31) / 32);
  }
  static void set(std::span<std::byte> bits, std::size_t i, bool on) {
    if (on) bits[i / 8] |= std::byte{1} << (i % 8);
  }
  static bool get(std::span<const std::byte> bits, std::size_t i) {
    return (bits[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0};
  }

  std::size_t answer_planes_;
  int wrong_owner_;
};

// Gathered, with packets of varying size and with state per tensor: sends the values of each tensor
// that are not below its mean magnitude, with their indices, and keeps the rest for the next step.
class Peaks final : public Toy {
 public:
  explicit Peaks(bool whole_model = false) : whole_model_(whole_model) {}
  std::string spec() const override { return "toy_peaks"; }
  Traits traits(std::uint64_t) const override { return {.whole_model = whole_model_}; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    buckets_.emplace_back(round.first, round.count);
    std::vector<float> message;  // per tensor: id, number of values, then pairs (index, value)
    for (const auto& view : grads) {
      auto& rest = rest_[view.id];
      rest.resize(view.data.size());
      float mean = 0;
      for (std::size_t i = 0; i < rest.size(); ++i) mean += std::abs(rest[i] += view.data[i]);
      mean /= static_cast<float>(std::max<std::size_t>(1, rest.size()));
      message.insert(message.end(), {static_cast<float>(view.id), 0});
      const std::size_t at = message.size() - 1;
      for (std::size_t i = 0; i < rest.size(); ++i) {
        if (std::abs(rest[i]) < mean) continue;
        message[at] += 1;
        message.insert(message.end(), {static_cast<float>(i), std::exchange(rest[i], 0.0F)});
      }
    }
    start(up, round, PacketKind::up, grads.size(), sizeof(float) * message.size());
    std::ranges::copy(message, up.floats().begin());
  }

  // The down packet is the concatenation of all packets, with each value multiplied by its weight.
  void combine(const Round& round, std::span<const GradView>, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override {
    std::vector<float> all;
    for (std::size_t w = 0; w < up.size(); ++w) {
      const auto floats = up[w].floats();
      for (std::size_t i = 0; i < floats.size();) {
        all.insert(all.end(), {floats[i], floats[i + 1]});
        const auto end = i + 2 + 2 * static_cast<std::size_t>(floats[i + 1]);
        for (i += 2; i < end; i += 2)
          all.insert(all.end(), {floats[i], floats[i + 1] * weights[w]});
      }
    }
    start(down, round, PacketKind::down, up.front().header().tensors, sizeof(float) * all.size());
    std::ranges::copy(all, down.floats().begin());
    ++combined_;
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> out) override {
    for (const auto& view : out) std::ranges::fill(view.data, 0.0F);
    const auto floats = down.floats();
    for (std::size_t i = 0; i < floats.size();) {
      const auto view =
          std::ranges::find(out, static_cast<std::uint32_t>(floats[i]), &GradView::id);
      check<PacketError>(view != out.end(), "toy: a tensor of another bucket");
      const auto end = i + 2 + 2 * static_cast<std::size_t>(floats[i + 1]);
      for (i += 2; i < end; i += 2)
        view->data[static_cast<std::size_t>(floats[i])] += floats[i + 1];
    }
    return written(round, out);
  }
  void serialize(Archive& archive) override {
    for (auto& [id, rest] : rest_) archive.item("rest", rest);
  }
  int combined() const { return combined_; }
  // (first, count) of each call of encode.
  using Bucket = std::pair<std::int64_t, std::int64_t>;
  const std::vector<Bucket>& buckets() const { return buckets_; }

 private:
  bool whole_model_;
  int combined_ = 0;
  std::vector<Bucket> buckets_;
  std::map<std::uint32_t, std::vector<float>> rest_;
};

// Runs a step and writes the mean gradient to `mean`.
inline void exchange_mean(Topology& topology, Compressor& compressor, const Round& round,
                          std::span<const GradView> gradients, std::span<const GradView> mean) {
  topology.run(compressor, round, gradients, mean,
               [&](const GradientSource& source) { materialize(source, mean); });
}

// The gradients of a model in one flat buffer. Tensor t has sizes[t] values and the id 10 + t.
class Gradients {
 public:
  explicit Gradients(std::vector<std::size_t> sizes) : sizes_(std::move(sizes)) {
    std::size_t n = 0;
    for (const auto size : sizes_) n += size;
    values.resize(n);
  }
  std::vector<GradView> views() {
    std::vector<GradView> all;
    std::size_t at = 0;
    for (std::size_t t = 0; t < sizes_.size(); ++t) {
      all.push_back({.id = static_cast<std::uint32_t>(10 + t),
                     .rows = static_cast<std::int64_t>(sizes_[t]),
                     .cols = 1,
                     .data = std::span(values).subspan(at, sizes_[t])});
      at += sizes_[t];
    }
    return all;
  }
  // Fills in values of many magnitudes, so that another order of addition gives other bits, and
  // some zeros.
  void fill(int worker, std::uint64_t step) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 7 == 5) {
        values[i] = 0;
        continue;
      }
      const auto x =
          static_cast<float>((i * 2654435761U + static_cast<std::size_t>(worker) * 40503U +
                              static_cast<std::size_t>(step) * 97U) %
                             10007);
      values[i] = (x - 5003.0F) * std::pow(1.7F, static_cast<float>(i % 23) - 11.0F);
    }
  }

  std::vector<float> values;

 private:
  std::vector<std::size_t> sizes_;
};

}  // namespace terse::toy
