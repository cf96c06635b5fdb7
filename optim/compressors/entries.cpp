#include "tersegrad/optim/compressors/entries.hpp"

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/kernels/merge.hpp"

namespace terse {
namespace {

// Calls body(value in the bucket, value of the entry) for every entry, in parallel.
template <class AnyEntries, class Body>
void for_each_entry(AnyEntries&& entries, std::span<const GradView> bucket, Body body) {
  constexpr std::int64_t kPiece = 4096;
  parallel_for(std::ssize(entries.at), kPiece, [&](std::int64_t begin, std::int64_t end) {
    std::size_t first = 0;
    for (const auto& view : bucket) {
      const auto stop = first + view.data.size();
      for (; begin < end && entries.at[begin] < stop; ++begin) {
        body(view.data[entries.at[begin] - first], entries.values[begin]);
      }
      first = stop;
    }
  });
}

}  // namespace

void Entries::take_values(std::span<const GradView> bucket) {
  values.resize(at.size());
  for_each_entry(*this, bucket, [](float from, float& value) { value = from; });
}

void Entries::place_in(std::span<const GradView> bucket) const {
  std::int64_t first = 0;
  for (const auto& view : bucket) {
    kernels::place(at, values, first, view.data);
    first += std::ssize(view.data);
  }
}

void Entries::subtract_from(std::span<const GradView> bucket) const {
  for_each_entry(*this, bucket, [](float& to, float value) { to -= value; });
}

std::span<const float> PlacedEntries::read(std::int64_t first, std::span<float> scratch) const {
  kernels::place(at_, values_, first, scratch);
  return scratch;
}

void expect_ascending(std::span<const std::uint32_t> coordinates, std::int64_t n) {
  std::int64_t before = -1;
  for (const std::int64_t i : coordinates) {
    check<PacketError>(i > before && i < n,
                       "packet: expected ascending coordinates below {}; got {} after {}", n, i,
                       before);
    before = i;
  }
}

}  // namespace terse
