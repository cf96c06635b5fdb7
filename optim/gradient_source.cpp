#include "tersegrad/optim/gradient_source.hpp"

#include "tersegrad/core/parallel.hpp"

namespace terse {
namespace {

constexpr std::int64_t kGrain = 1 << 16;  // floats of a thread's block

void materialize_at(const GradientSource& source, std::int64_t first, std::span<float> values) {
  parallel_for(std::ssize(values), kGrain, [&](std::int64_t begin, std::int64_t end) {
    const auto block =
        values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    const auto from = source.read(first + begin, block);
    if (from.data() != block.data()) std::ranges::copy(from, block.begin());
  });
}

}  // namespace

void materialize(const GradientSource& source, std::span<const GradView> views) {
  std::int64_t first = 0;
  for (const auto& view : views) {
    materialize_at(source, first, view.data);
    first += std::ssize(view.data);
  }
}

void materialize(const GradientSource& source, std::span<float> values) {
  materialize_at(source, 0, values);
}

// ---- ranges -------------------------------------------------------------------------------------

void GradientInRanges::clear() {
  ranges_.clear();
  begins_.resize(1);
}

void GradientInRanges::add(std::span<const float> range) {
  if (!ranges_.empty() && ranges_.back().data() + ranges_.back().size() == range.data()) {
    ranges_.back() = {ranges_.back().data(), ranges_.back().size() + range.size()};
    begins_.back() += std::ssize(range);
    return;
  }
  ranges_.push_back(range);
  begins_.push_back(begins_.back() + std::ssize(range));
}

std::span<const float> GradientInRanges::read(std::int64_t first, std::span<float> scratch) const {
  std::span<const float> values;
  divide_among(begins_, first, scratch,
               [&](std::size_t part, std::int64_t offset, std::span<float> piece) {
                 values = ranges_[part].subspan(static_cast<std::size_t>(offset), piece.size());
                 if (piece.size() == scratch.size() || values.data() == piece.data()) return;
                 std::ranges::copy(values, piece.begin());
               });
  return values.size() == scratch.size() ? values : scratch;
}

// ---- joined -------------------------------------------------------------------------------------

void JoinedGradient::clear() {
  parts_.clear();
  begins_.resize(1);
}

void JoinedGradient::add(const GradientSource& part, std::int64_t count) {
  parts_.push_back(&part);
  begins_.push_back(begins_.back() + count);
}

std::span<const float> JoinedGradient::read(std::int64_t first, std::span<float> scratch) const {
  std::span<const float> values;
  divide_among(begins_, first, scratch,
               [&](std::size_t part, std::int64_t offset, std::span<float> piece) {
                 values = parts_[part]->read(offset, piece);
                 if (piece.size() == scratch.size() || values.data() == piece.data()) return;
                 std::ranges::copy(values, piece.begin());
               });
  return values.size() == scratch.size() ? values : scratch;
}

}  // namespace terse
