// K-async: an update is the mean of the first K workers' pushes; the other workers keep computing.
//
//   worker:  pull x, push g, wait for the update
//   server:  collect the pushes of K workers;  x = x - rate / K · sum of g;  these K workers pull
//
// K = 1 is the asynchronous server, K = W the synchronous one.
//
// Cost: K packets are held. Source: Dutta et al., "Slow and stale gradients can win the race",
// arXiv 1803.01113.
#include <fmt/format.h>

#include "tersegrad/comm/async/server_rule.hpp"

namespace terse {

void make_k_async(Options& options, int workers, ServerRule& rule) {
  const auto k = options.integer("k", 1, 1, workers);
  rule.gathering = {.pushes = static_cast<int>(k), .waits = true};
  rule.spec += fmt::format("k_async:k={}", k);
}

}  // namespace terse
