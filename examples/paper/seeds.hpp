// The seeds of an experiment on known functions, which run in parallel.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "examples/run/interruption.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::paper {

// make(seed) for the seeds 1, 2, …, as an array. Throws if the user interrupts.
inline nlohmann::json for_seeds(std::int64_t seeds,
                                const std::function<nlohmann::json(std::uint64_t)>& make) {
  std::vector<nlohmann::json> all(static_cast<std::size_t>(seeds));
  parallel_for(seeds, 1, [&](std::int64_t begin, std::int64_t) {
    run::throw_if_interrupted();
    all[static_cast<std::size_t>(begin)] = make(static_cast<std::uint64_t>(begin) + 1);
  });
  return all;
}

}  // namespace terse::paper
