// Backup workers: a synchronous step takes the first W - b pushes and drops those of stragglers.
//
//   worker:  pull x of version t, push g
//   server:  g of an older version: drop it; its worker pulls and continues
//            otherwise collect W - b pushes of version t
//            x = x - rate / (W - b) · sum of g;  these workers pull
//
// No applied push is stale. Error feedback does not recover a dropped packet: what the packet
// contained is lost.
//
// Cost: W - b packets are held; the work of up to b workers per step is discarded. Source: Chen et
// al., "Revisiting distributed synchronous SGD", arXiv 1604.00981.
#include <fmt/format.h>

#include "tersegrad/comm/async/server_rule.hpp"

namespace terse {

void make_backup(Options& options, int workers, ServerRule& rule) {
  const auto spare = options.integer("spare", workers > 1 ? 1 : 0, 0, workers - 1);
  rule.gathering = {.pushes = workers - static_cast<int>(spare), .waits = true, .drops = true};
  rule.spec += fmt::format("backup:spare={}", spare);
}

}  // namespace terse
