// The staleness-aware rate: the learning rate of a push is divided by its staleness.
//
//   server:  x = x - rate / max(1, staleness) · g          form=inverse
//            x = x - rate / (staleness + 1) · g            form=plus_one, and dynsgd
//
// Both leave a push of staleness 0 unchanged.
//
// Source: form=inverse: Zhang et al., "Staleness-aware Async-SGD", arXiv 1511.05950; form=plus_one:
// DynSGD of Jiang et al., "Heterogeneity-aware distributed parameter servers", SIGMOD 2017. The
// formulas are written from memory of these papers.
#include <algorithm>
#include <array>
#include <string_view>

#include "tersegrad/comm/async/server_rule.hpp"

namespace terse {
namespace {

class StalenessAware final : public Correction {
 public:
  explicit StalenessAware(bool plus_one) : plus_one_(plus_one) {}

  float rate(std::uint64_t staleness) const override {
    const auto divisor = plus_one_ ? staleness + 1 : std::max<std::uint64_t>(1, staleness);
    return 1.0F / static_cast<float>(divisor);
  }

 private:
  bool plus_one_;
};

}  // namespace

void make_staleness_aware(Options& options, int, ServerRule& rule) {
  constexpr std::array<std::string_view, 2> kForms{"inverse", "plus_one"};
  const std::string form(options.choice("form", "inverse", kForms));
  rule.correction = std::make_unique<StalenessAware>(form == "plus_one");
  rule.spec += "staleness_aware:form=" + form;
}

void make_dynsgd(Options&, int, ServerRule& rule) {
  rule.correction = std::make_unique<StalenessAware>(true);
  rule.spec += "dynsgd";
}

}  // namespace terse
