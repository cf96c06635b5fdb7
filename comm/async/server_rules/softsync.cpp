// n-softsync: an update is the mean of the next c = floor(W / n) pushes of any workers.
//
//   worker:  pull x, push g, pull again immediately
//   server:  collect c pushes;  x = x - rate / c · sum of g
//
// n = W is the asynchronous server. With n = 1 the server collects W pushes, but not necessarily
// one of each worker. The staleness, in updates, is about n.
//
// Cost: c packets are held. Source: Zhang et al., "Staleness-aware Async-SGD", arXiv 1511.05950.
#include <fmt/format.h>

#include "tersegrad/comm/async/server_rule.hpp"

namespace terse {

void make_softsync(Options& options, int workers, ServerRule& rule) {
  const auto n = options.integer("n", 1, 1, workers);
  rule.gathering = {.pushes = workers / static_cast<int>(n)};
  rule.spec += fmt::format("softsync:n={}", n);
}

}  // namespace terse
