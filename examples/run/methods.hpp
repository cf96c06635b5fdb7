// The recommended optimizer and learning rate of each method: on images for LeNet-5 with batch 32
// on each of 4 workers, on text for an LSTM of two layers. Found by trial; see docs/results.md.
//
// The rates of `diana` and `terngrad:clip=2.5` were tuned on a validation split. All other trials on
// images were judged by test accuracy, because there was no validation split yet. Test accuracies at
// these other rates are therefore a little too good, most of all those of the methods with the most
// trials. New rows are to be tuned by `train --evaluate valid`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace terse::run {

struct Recommendation {
  std::string_view optimizer;
  double lr;
};
// Chosen by the stages of the spec: `sign+ef` has another rate than `sign+doublesqueeze`.
Recommendation recommended(std::string_view compressor_spec, bool text);
// The same for stale gradients: without momentum, because asynchrony acts as momentum (Mitliagkas
// et al., arXiv 1605.09774), and with the rate times `share`, the pushes of an update divided by
// the number of workers.
Recommendation recommended_stale(std::string_view compressor_spec, bool text, double share);

// The methods of the main job, in the order of its table.
const std::vector<std::string>& main_methods();
// One spec for each method of the table.
std::vector<std::string> all_methods();

}  // namespace terse::run
