// Where the bytes of a run go: the parts "exchange" and "bytes" of a page's data.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/report/log_data.hpp"
#include "examples/run/config.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// The shapes of the parameters of a run's model. Data sets, which decide the number of classes or
// words, are loaded once for all runs that have the same.
class ModelShapes {
 public:
  // Throws Error if the data set cannot be loaded.
  const std::vector<MatrixShape>& of(const RunConfig& config);

 private:
  std::map<std::string, std::vector<MatrixShape>> known_;
};

struct Traffic {
  nlohmann::json exchange, bytes;
};

// Sizes of packets are those of random gradients, in proportion to the size that the run counted.
Traffic traffic_of(const RunConfig& config, const std::vector<MatrixShape>& shapes,
                   const LogData& log);

}  // namespace terse::run
