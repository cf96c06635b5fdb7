// Infinite and NaN values in gradients: how many, where, and what to do about them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

// What to do when a gradient has infinite or NaN values, on whichever worker.
enum class NonFinite : std::uint8_t {
  abort,        // every worker throws the same error
  skip_step,    // the step changes nothing, its number included
  zero,         // these values become zero
  drop_worker,  // whose gradient it is leaves for good, and the others go on (failure.hpp)
};
std::string_view to_string(NonFinite policy);
NonFinite parse_non_finite(std::string_view name);  // UsageError lists the known ones

// A gradient that is infinite or NaN, where the policy is to abort: the run has diverged.
class NonFiniteGradient : public Error {
 public:
  NonFiniteGradient(const std::string& what, std::uint64_t step) : Error(what), step_(step) {}
  std::uint64_t step() const { return step_; }  // of the worker that found it, from 0

 private:
  std::uint64_t step_;
};

// What a worker finds in its gradient; as a word of 8 bytes, zero if all is well.
struct Finding {
  std::uint32_t count = 0;   // of non-finite values; more than fit are as many as fit
  std::uint32_t tensor = 0;  // id of the first tensor that has one

  std::uint64_t word() const { return std::uint64_t{tensor} << 32 | count; }
  static Finding of(std::uint64_t word) {
    return {.count = static_cast<std::uint32_t>(word),
            .tensor = static_cast<std::uint32_t>(word >> 32)};
  }
};
Finding find_non_finite(std::span<const GradView> gradients);
void zero_non_finite(std::span<const GradView> gradients);

}  // namespace terse
