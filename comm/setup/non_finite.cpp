#include "tersegrad/comm/setup/non_finite.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/name_table.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {
namespace {

constexpr NameTable<NonFinite, 4> kNonFinitePolicies = {{{"abort", NonFinite::abort},
                                                         {"skip_step", NonFinite::skip_step},
                                                         {"zero", NonFinite::zero},
                                                         {"drop_worker", NonFinite::drop_worker}}};

// Infinities and NaNs have an exponent of all ones. The test uses integers, so that it works under
// -ffast-math.
bool is_finite(float value) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  return (std::bit_cast<std::uint32_t>(value) & kExponent) != kExponent;
}

std::int64_t count_non_finite(std::span<const float> values) {
  constexpr std::int64_t kGrain = 1 << 16;
  return static_cast<std::int64_t>(vectorized_sum(
      static_cast<std::int64_t>(values.size()), kGrain, [=](std::int64_t begin, std::int64_t end) {
        std::uint32_t bad = 0;
        for (std::int64_t i = begin; i < end; ++i) {
          bad += is_finite(values[static_cast<std::size_t>(i)]) ? 0U : 1U;
        }
        return static_cast<double>(bad);
      }));
}

}  // namespace

std::string_view to_string(NonFinite policy) {
  return name_in(kNonFinitePolicies, policy);
}

NonFinite parse_non_finite(std::string_view name) {
  return value_in(kNonFinitePolicies, "non-finite policy", name);
}

NonFiniteCount find_non_finite(std::span<const GradView> gradients) {
  std::int64_t bad = 0;
  std::uint32_t tensor = 0;
  for (const auto& view : gradients) {
    const auto here = count_non_finite(view.data);
    if (bad == 0 && here > 0) tensor = view.id;
    bad += here;
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return {.count = static_cast<std::uint32_t>(std::min(bad, kMost)), .tensor = tensor};
}

void zero_non_finite(std::span<const GradView> gradients) {
  for (const auto& view : gradients) {
    vectorized([values = view.data] {
      for (auto& value : values) value = is_finite(value) ? value : 0.0F;
    });
  }
}

}  // namespace terse
