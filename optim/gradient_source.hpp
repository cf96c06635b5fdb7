// A gradient that is read block by block.
//
// Most updates use every value of the mean gradient once. They read blocks that stay in the cache,
// and the source decodes each block when it is read. Writing the whole mean to memory first would
// move 3 d floats more: each cache line is read before it is written, written, and read again by
// the update.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tersegrad/optim/grad_view.hpp"

namespace terse {

class GradientSource {
 public:
  virtual ~GradientSource() = default;
  // Returns the values [first, first + scratch.size()): a span of the source's memory, or `scratch`
  // after writing them to it. Thread-safe.
  virtual std::span<const float> read(std::int64_t first, std::span<float> scratch) const = 0;
};

// Writes all values of `source` to `views`, one view after the other. A block that the source
// already holds at its place in `views` is not copied.
void materialize(const GradientSource& source, std::span<const GradView> views);
void materialize(const GradientSource& source, std::span<float> values);

// Cuts the values [first, first + scratch.size()) at the boundaries of consecutive parts, of which
// part k has the values [begins[k], begins[k + 1]). Calls body(part, offset, piece) for each part
// that has some of them: its values from `offset` on belong into `piece`.
template <class Body>
void divide_among(std::span<const std::int64_t> begins, std::int64_t first,
                  std::span<float> scratch, Body body) {
  auto part =
      static_cast<std::size_t>(std::ranges::upper_bound(begins, first) - begins.begin()) - 1;
  while (!scratch.empty()) {
    const auto left = static_cast<std::size_t>(begins[part + 1] - first);
    const auto piece = scratch.first(std::min(scratch.size(), left));
    if (!piece.empty()) body(part, first - begins[part], piece);
    scratch = scratch.subspan(piece.size());
    first += std::ssize(piece);
    ++part;
  }
}

// A gradient in one contiguous range of memory.
class GradientInMemory final : public GradientSource {
 public:
  GradientInMemory() = default;
  explicit GradientInMemory(std::span<const float> values) : values_(values) {}
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override {
    return values_.subspan(static_cast<std::size_t>(first), scratch.size());
  }

 private:
  std::span<const float> values_;
};

// A gradient in several ranges of memory, one after the other.
class GradientInRanges final : public GradientSource {
 public:
  void clear();
  // Appends a range. It is joined with the range before it if their memory touches.
  void add(std::span<const float> range);
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override;

 private:
  std::vector<std::span<const float>> ranges_;
  std::vector<std::int64_t> begins_{0};  // of the ranges, and the end
};

// Several sources, one after the other. The sources must outlive it.
class JoinedGradient final : public GradientSource {
 public:
  void clear();
  void add(const GradientSource& part, std::int64_t count);
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override;

 private:
  std::vector<const GradientSource*> parts_;
  std::vector<std::int64_t> begins_{0};  // of the parts, and the end
};

// The sources that a compressor returns, one for each bucket of the model. They are used again in
// every step, so that a step allocates no memory.
template <class Source>
class SourcePerBucket {
 public:
  // The source of the bucket whose first coordinate is `first`.
  Source& at(std::int64_t first) { return sources_[first]; }

 private:
  std::map<std::int64_t, Source> sources_;
};

}  // namespace terse
