// A gradient that is read in pieces, by whoever uses every value once and in passing: an update.
//
// What an answer says can so be decoded piece by piece into the cache. To write all of it to memory
// and to read it again there is three more passes over d floats.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "tersegrad/core/parallel.hpp"

namespace terse {

class GradientSource {
 public:
  virtual ~GradientSource() = default;
  // Values [first, first + room.size()): where they lie, or written to `room`. From any thread.
  virtual std::span<const float> read(std::int64_t first, std::span<float> room) const = 0;
};

class GradientInMemory final : public GradientSource {
 public:
  explicit GradientInMemory(std::span<const float> values) : values_(values) {}
  std::span<const float> read(std::int64_t first, std::span<float> room) const override {
    return values_.subspan(static_cast<std::size_t>(first), room.size());
  }

 private:
  std::span<const float> values_;
};

// body(part, offset, piece) for what each of several parts that lie one after the other has of the
// values [first, first + room.size()): its own from `offset` on belong into `piece`. Part k has the
// values [begins[k], begins[k + 1]).
template <class Body>
void divide_among(std::span<const std::int64_t> begins, std::int64_t first, std::span<float> room,
                  Body body) {
  auto part =
      static_cast<std::size_t>(std::ranges::upper_bound(begins, first) - begins.begin()) - 1;
  while (!room.empty()) {
    const auto left = static_cast<std::size_t>(begins[part + 1] - first);
    const auto piece = room.first(std::min(room.size(), left));
    if (!piece.empty()) body(part, first - begins[part], piece);
    room = room.subspan(piece.size());
    first += std::ssize(piece);
    ++part;
  }
}

// Several, one after the other.
class JoinedGradient final : public GradientSource {
 public:
  void clear() {
    parts_.clear();
    begins_.resize(1);
  }
  void add(std::unique_ptr<GradientSource> part, std::int64_t count) {
    parts_.push_back(std::move(part));
    begins_.push_back(begins_.back() + count);
  }

  std::span<const float> read(std::int64_t first, std::span<float> room) const override {
    std::span<const float> values;
    divide_among(begins_, first, room,
                 [&](std::size_t part, std::int64_t offset, std::span<float> piece) {
                   values = parts_[part]->read(offset, piece);
                   if (piece.size() == room.size() || values.data() == piece.data()) return;
                   std::ranges::copy(values, piece.begin());
                 });
    return values.size() == room.size() ? values : room;
  }

 private:
  std::vector<std::unique_ptr<GradientSource>> parts_;
  std::vector<std::int64_t> begins_{0};  // of the parts, and the end
};

}  // namespace terse
