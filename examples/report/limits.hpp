// How much of each run a page holds, so that the whole page stays below 5 MB.
#pragma once

#include <algorithm>
#include <cstddef>

namespace terse::run {

struct PageLimits {
  std::size_t points = 4000;  // of a curve up to which all are kept; at most twice as many else
  std::size_t evaluations = 2000;   // the same for tests
  std::size_t health_lines = 50;    // of --measure health, and as many of --measure density
  std::size_t health_bytes = 0;     // of all health lines together; the same for density lines
  std::size_t packets = 24;         // recorded ones
  std::size_t packet_bytes = 4096;  // shown of each
  std::size_t pushes = 400;         // of asynchronous workers

  // The limits of each run on a page with so many.
  static PageLimits of(std::size_t runs) {
    constexpr std::size_t kData = 4'000'000;  // bytes; the rest is the page itself
    const auto share = kData / std::max<std::size_t>(1, runs);
    constexpr std::size_t kPointBytes = 2 * 50, kEvaluationBytes = 2 * 80, kPushBytes = 40;
    PageLimits limits;
    limits.points = std::clamp<std::size_t>(share / 3 / kPointBytes, 20, limits.points);
    limits.evaluations =
        std::clamp<std::size_t>(share / 10 / kEvaluationBytes, 10, limits.evaluations);
    limits.health_bytes = share / 5;
    limits.pushes = std::min(limits.pushes, share / 20 / kPushBytes);
    constexpr std::size_t kHexAndText = 4;  // characters for each byte that is shown
    limits.packets = std::clamp<std::size_t>(share / 5 / 2000, 1, limits.packets);
    limits.packet_bytes = std::min(limits.packet_bytes, share / 5 / limits.packets / kHexAndText);
    return limits;
  }
};

}  // namespace terse::run
