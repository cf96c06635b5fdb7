// What one worker of a run hands in at the end, and what all of them come to.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "examples/run/training.hpp"
#include "tersegrad/comm/transport/accounting.hpp"

namespace terse::run {

// All of it is 64-bit words, for the way to the others.
struct Account {
  static constexpr double kNoTime = -1;  // there is no modelled network

  std::uint64_t bytes_sent = 0, bytes_uncompressed = 0, state_hash = 0, skipped_steps = 0;
  PhaseTimes step_times, virtual_step_times;  // seconds per step, the first one apart
  double hidden_seconds = 0;                  // likewise
  double virtual_seconds = kNoTime;
};
inline constexpr std::size_t kAccountWords = sizeof(Account) / sizeof(std::uint64_t);
using AccountWords = std::array<std::uint64_t, kAccountWords>;

// The workers' accounts, in their order, as means and one hash.
void add_up(std::span<const std::uint64_t> accounts, RunResult& result);

}  // namespace terse::run
