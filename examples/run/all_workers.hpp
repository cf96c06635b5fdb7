// Sums and exchanges of numbers over all workers, by control messages, which are counted separately
// from gradients.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/core/bytes.hpp"

namespace terse::run {

// All workers must call the same functions in the same order.
class AllWorkers {
 public:
  explicit AllWorkers(Worker& me) : me_(me), collectives_(me) {}

  // Replaces the values by their sums over the workers, added in the order of the workers. Sends
  // them in pieces, because each worker holds a piece of every other one.
  void sum(std::span<double> values) {
    constexpr std::size_t kPiece = 1 << 16;
    for (; values.size() > kPiece; values = values.subspan(kPiece)) sum_piece(values.first(kPiece));
    sum_piece(values);
  }
  double sum(double value) {
    sum(std::span(&value, 1));
    return value;
  }
  double mean(double value) { return sum(value) / me_.size(); }

  // On worker 0: sums = the sums over the workers of their values, added in the order of the
  // workers. The other workers only send.
  void sum_at_first(std::span<const float> own, std::vector<double>& sums) {
    const auto step = number_++;
    me_.begin_exchange();
    if (me_.rank() == 0) {
      sums.assign(own.begin(), own.end());
      for (int other = 1; other < me_.size(); ++other) {
        me_.recv(other,
                 {.kind = PacketKind::control, .step = step, .payload_bytes = own.size_bytes()},
                 in_);
        ByteReader reader(std::as_const(in_).payload());
        for (auto& value : sums) value += double{reader.get<float>()};
      }
    } else {
      me_.send(0,
               {.kind = PacketKind::control,
                .step = static_cast<std::uint32_t>(step),
                .worker = static_cast<std::uint16_t>(me_.rank())},
               std::as_bytes(own));
    }
    me_.end_exchange();
  }

  // Returns the words of worker 0, of worker 1, and so on; valid until the next call.
  std::span<const std::uint64_t> gather(std::span<const std::uint64_t> own) {
    all_.resize(own.size() * static_cast<std::size_t>(me_.size()));
    collectives_.agree(own, number_++, all_);
    return all_;
  }

 private:
  void sum_piece(std::span<double> values) {
    own_.resize(values.size());
    std::ranges::transform(values, own_.begin(), std::bit_cast<std::uint64_t, double>);
    const auto all = gather(own_);
    std::ranges::fill(values, 0.0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      values[i % values.size()] += std::bit_cast<double>(all[i]);
    }
  }

  Worker& me_;
  Collectives collectives_;
  std::uint64_t number_ = 0;
  std::vector<std::uint64_t> own_, all_;
  Packet in_;
};

}  // namespace terse::run
