// Turns: each step sends every fourth value of the gradient, and the next step those beside them.
//
//   worker w:  for each tensor of n values: send x_i for i = t mod 4, t mod 4 + 4, … < n, in step t
//   exchange:  s = sum of all payloads
//   worker:    mean_i = s_i / workers for these i, 0 elsewhere
//
// Payload: 4 ceil(n/4) bytes for each tensor; a place that no value falls on holds 0.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/optim/compressors/payload.hpp"

namespace stripes {

class Turns final : public terse::OnePhaseLinear {
 public:
  static constexpr std::int64_t kTurns = 4;
  static std::int64_t places(std::int64_t values) { return (values + kTurns - 1) / kTurns; }

  std::string spec() const override { return "turns"; }
  terse::Traits traits(std::uint64_t /*step*/) const override { return {.linear = true}; }

  void encode(const terse::Round& round, std::span<const terse::GradView> grads,
              terse::Packet& up) override {
    up.start(terse::header_for(round, kNumber, terse::PacketKind::up, grads.size()),
             static_cast<std::size_t>(places_of(grads)) * sizeof(float));
    auto to = up.floats().begin();
    for (const auto& grad : grads) {
      for (std::int64_t place = 0; place < places(std::ssize(grad.data)); ++place) {
        const auto i = static_cast<std::size_t>(index(round, place));
        *to++ = i < grad.data.size() ? grad.data[i] : 0;
      }
    }
  }

  std::vector<terse::Field> fields(const terse::Round& /*round*/, const terse::Packet& up,
                                   std::span<const terse::GradView> shape) const override {
    terse::FieldList list(up);
    list.floats("values", places_of(shape));
    return list.take();
  }

 private:
  static constexpr std::uint16_t kNumber = 1000;  // in packet headers; the library's are below 100

  static std::int64_t index(const terse::Round& round, std::int64_t place) {
    return place * kTurns + static_cast<std::int64_t>(round.step) % kTurns;
  }
  static std::int64_t places_of(std::span<const terse::GradView> views) {
    std::int64_t sum = 0;
    for (const auto& view : views) sum += places(std::ssize(view.data));
    return sum;
  }

  void mean(const terse::Round& round, const terse::Packet& sum,
            std::span<const terse::GradView> out) const override {
    sum.expect(kNumber, round.phase, out.size());
    terse::PayloadReader payload(sum, places_of(out));
    const float workers = terse::expect_contributors(sum);
    for (const auto& view : out) {
      std::ranges::fill(view.data, 0.0F);
      std::int64_t place = 0;
      for (const float x :
           payload.next_floats(static_cast<std::size_t>(places(std::ssize(view.data))))) {
        const auto i = static_cast<std::size_t>(index(round, place++));
        if (i < view.data.size()) view.data[i] = x / workers;
      }
    }
  }
};

}  // namespace stripes
