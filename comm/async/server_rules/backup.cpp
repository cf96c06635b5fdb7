// Backup workers: a synchronous step takes the first W - b pushes, and drops the stragglers'.
//
//   worker:  pull x of version t, push g
//   server:  g of an older version: drop it; the worker pulls and goes on
//            otherwise collect W - b of version t;  x = x - rate / (W - b) · sum of g;  they pull
//
// No push is stale. What error feedback has put into a packet that is dropped is lost.
//
// Cost: W - b packets are held; up to b workers' work a step is in vain. Source: Chen et al.,
// "Revisiting distributed synchronous SGD", arXiv 1604.00981.
#include <fmt/format.h>

#include "tersegrad/comm/async/server_rule.hpp"

namespace terse {

void make_backup(Options& options, int workers, ServerRule& rule) {
  const auto spare = options.integer("spare", workers > 1 ? 1 : 0, 0, workers - 1);
  rule.gathering = {.pushes = workers - static_cast<int>(spare), .waits = true, .drops = true};
  rule.spec += fmt::format("backup:spare={}", spare);
}

}  // namespace terse
