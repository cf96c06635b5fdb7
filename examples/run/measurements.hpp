// The measurements of the workers of a run, and their combination in its result.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "examples/run/result.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/core/parameters.hpp"

namespace terse::run {

// One worker's measurements. All members are 64-bit words, so that they can be sent.
struct Measurements {
  static constexpr double kNoTime = -1;  // without a modelled network

  std::uint64_t bytes_sent = 0, payload_sent = 0, bytes_uncompressed = 0;
  std::uint64_t state_hash = 0, skipped_steps = 0;
  PartTimes step_times, virtual_step_times;  // seconds per step, without the first
  double hidden_seconds = 0;                 // per step, without the first
  double virtual_seconds = kNoTime;
};
inline constexpr std::size_t kMeasurementWords = sizeof(Measurements) / sizeof(std::uint64_t);
using MeasurementWords = std::array<std::uint64_t, kMeasurementWords>;

// Adds the measurements of all workers, given as words in the order of the workers, to the result:
// their means, and one hash.
void add_up(std::span<const std::uint64_t> words_of_all, RunResult& result);

// Adds the number, the hash and the finiteness of the model's parameters. The result has its last
// evaluation.
void add_final_model(ParameterBuffer& parameters, RunResult& result);

}  // namespace terse::run
