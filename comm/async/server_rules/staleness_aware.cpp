// The staleness-aware rate: the learning rate of a push is divided by its staleness.
//
//   server:  x = x - rate / max(1, staleness) · g
//
// Source: Zhang et al., "Staleness-aware Async-SGD", arXiv 1511.05950; Jiang et al.,
// "Heterogeneity-aware distributed parameter servers", SIGMOD 2017. The formula is written from
// memory of these papers.
#include <algorithm>

#include "tersegrad/comm/async/server_rule.hpp"

namespace terse {
namespace {

class StalenessAware final : public Correction {
 public:
  float rate(std::uint64_t staleness) const override {
    return 1.0F / static_cast<float>(std::max<std::uint64_t>(1, staleness));
  }
};

}  // namespace

void make_staleness_aware(Options&, int, ServerRule& rule) {
  rule.correction = std::make_unique<StalenessAware>();
  rule.spec += "staleness_aware";
}

}  // namespace terse
