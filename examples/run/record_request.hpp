// The flag --record: which steps and tensors of a run are stored.
//
//   steps=100..110          required; also one step, and several after one another: 0;100;200..203
//   tensors=conv1.*;fc3.*   names with * and ?; all by default
//   packets=no              gradients only
//   limit=2GB               the most that may be stored; 1GB by default
//
// A step has the number of steps before it, so the first is 0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/parameters.hpp"

namespace terse::run {

struct StepRange {
  std::int64_t first, last;
};

// "100", "100..110" or "0;100;200..203", ascending. Throws UsageError, which begins with `what`.
std::vector<StepRange> parse_steps(std::string_view text, std::string_view what);
bool has_step(std::span<const StepRange> ranges, std::int64_t step);

struct RecordRequest {
  std::vector<StepRange> steps = {};  // ascending, not overlapping
  std::vector<std::string> tensors = {"*"};
  bool packets = true;
  std::uint64_t limit = 1'000'000'000;  // bytes
};

// Throws UsageError with what would be right.
RecordRequest parse_record(std::string_view text);

// The tensors that the request names, in the order of the model. UsageError for a name that no
// tensor has.
std::vector<ParameterInfo> chosen_tensors(const RecordRequest& request,
                                          std::span<const ParameterInfo> all);

}  // namespace terse::run
