// Which optimizer and learning rate each way of exchanging gradients wants, for LeNet-5 with batch
// 32 on each of 4 workers. Found by trial; docs/results.md says how.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace terse::run {

struct Recommendation {
  std::string_view optimizer;
  double lr;
};
// By the name of the spec's first stage, and whether it has error feedback.
Recommendation recommended(std::string_view compressor_spec);

// The methods of the main job, in the order of its table.
const std::vector<std::string>& main_methods();

}  // namespace terse::run
