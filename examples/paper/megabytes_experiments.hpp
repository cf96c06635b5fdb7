// What a budget of communicated megabytes buys: Safaryan and Richtárik, arXiv 1905.12938, compare
// signSGD with SGD on a network of one hidden layer by the megabytes of gradients that were sent.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// The methods train with this batch for as many steps as each budget pays: megabytes / bytes of a
// step, rounded down. Bytes are those that the trainer reports: the payload of a worker's packet in
// one direction, without its header. A run ends with its budget, so its learning rate has fallen to
// zero there, and each budget has a rate of its own, the best of five on the validation split:
//   {megabytes, methods: [{name, bytes, budgets: [{steps, rate, scores: [of each seed]}]}]}
// On Fashion-MNIST.
Experiment bought_by_megabytes(Scale scale, std::int64_t batch, const std::vector<Method>& methods);
inline std::string megabytes_of(std::int64_t batch) {  // its name
  return fmt::format("perceptron/megabytes-{}", batch);
}
// The same on MNIST, whose files are in the folder; without one it cannot be measured.
Experiment bought_on_mnist(Scale scale, std::int64_t batch, const std::vector<Method>& methods,
                           const std::string& folder);
inline const std::string kMegabytesOnMnist = "perceptron/megabytes-mnist";

}  // namespace terse::paper
