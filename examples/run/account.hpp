// What the workers of a run measured, combined into its result.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "examples/run/result.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/core/parameters.hpp"

namespace terse::run {

// One worker's measurements: 64-bit words throughout, so that they can be sent.
struct Account {
  static constexpr double kNoTime = -1;  // without a modelled network

  std::uint64_t bytes_sent = 0, bytes_uncompressed = 0, state_hash = 0, skipped_steps = 0;
  PartTimes step_times, virtual_step_times;  // seconds per step, without the first
  double hidden_seconds = 0;                 // per step, without the first
  double virtual_seconds = kNoTime;
};
inline constexpr std::size_t kAccountWords = sizeof(Account) / sizeof(std::uint64_t);
using AccountWords = std::array<std::uint64_t, kAccountWords>;

// Adds the workers' accounts, in the order of the workers: their means, and one hash.
void add_up(std::span<const std::uint64_t> accounts, RunResult& result);

// Adds the number, the hash and the finiteness of the model's parameters. The result has its last
// evaluation.
void add_final_model(ParameterBuffer& parameters, RunResult& result);

}  // namespace terse::run
