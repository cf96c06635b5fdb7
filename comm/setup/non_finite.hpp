// Infinite and NaN values in gradients: their number, their place, and the policies for them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

// What to do if the gradient of any worker has infinite or NaN values.
enum class NonFinite : std::uint8_t {
  abort,        // every worker throws the same error
  skip_step,    // the step changes no state; the next step has the same number
  zero,         // set these values to zero
  drop_worker,  // evict the worker with this gradient; the others continue (failure.hpp)
};
std::string_view to_string(NonFinite policy);
NonFinite parse_non_finite(std::string_view name);  // throws UsageError with the known names

// Thrown for an infinite or NaN gradient if the policy is to abort: the run has diverged.
class NonFiniteGradient : public Error {
 public:
  NonFiniteGradient(const std::string& what, std::uint64_t step) : Error(what), step_(step) {}
  std::uint64_t step() const { return step_; }  // the step of the worker that throws, from 0

 private:
  std::uint64_t step_;
};

// The number of non-finite values in a worker's gradient, and the place of the first.
struct NonFiniteCount {
  std::uint32_t count = 0;   // at most 2^32 - 1; larger numbers become that
  std::uint32_t tensor = 0;  // id of the first tensor with a non-finite value

  // Both in one 8-byte word, which control messages carry; zero if all values are finite.
  std::uint64_t packed() const { return std::uint64_t{tensor} << 32 | count; }
  static NonFiniteCount of(std::uint64_t packed) {
    return {.count = static_cast<std::uint32_t>(packed),
            .tensor = static_cast<std::uint32_t>(packed >> 32)};
  }
};
NonFiniteCount find_non_finite(std::span<const GradView> gradients);
void zero_non_finite(std::span<const GradView> gradients);

}  // namespace terse
