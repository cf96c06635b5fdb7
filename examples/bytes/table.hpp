// The table of bytes: what each method sends in a step and in an epoch.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/bytes/exchange_bytes.hpp"
#include "examples/run/config.hpp"

namespace terse::run {

struct MethodBytes {
  std::string method;
  ExchangeBytes bytes;
};

struct BytesTable {
  const RunConfig& config;
  std::int64_t parameters = 0, tensors = 0;
  std::int64_t steps_per_epoch = 0, steps = 0;  // steps: exchanges counted
  std::vector<MethodBytes> rows = {};
};

std::string to_text(const BytesTable& table);  // in 80 columns, with notes on the methods in it
nlohmann::json to_json(const BytesTable& table);

}  // namespace terse::run
