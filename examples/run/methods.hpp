// Which optimizer and learning rate each way of exchanging gradients wants: on images for LeNet-5
// with batch 32 on each of 4 workers, on text for a language model of two layers. Found by trial;
// docs/results.md says how.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace terse::run {

struct Recommendation {
  std::string_view optimizer;
  double lr;
};
// By the spec's stages: `sign+ef` wants another rate than `sign+doublesqueeze`.
Recommendation recommended(std::string_view compressor_spec, bool text);
// The same where gradients are stale: without momentum, of which asynchrony has its own (Mitliagkas
// et al., arXiv 1605.09774), and, as nothing is divided by the number of workers, at the share of
// the rate that one update's pushes have of all workers.
Recommendation recommended_stale(std::string_view compressor_spec, bool text, double share);

// The methods of the main job, in the order of its table.
const std::vector<std::string>& main_methods();
// Every method there is, one spec each.
std::vector<std::string> all_methods();

}  // namespace terse::run
