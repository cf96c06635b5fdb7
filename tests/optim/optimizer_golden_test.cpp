// Every update rule against the trajectories of torch.optim in tests/golden/optimizers.json.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "rule_references.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {
namespace {

using Values = std::vector<float>;

const nlohmann::json& golden() {
  static const auto json = nlohmann::json::parse(
      std::ifstream(std::string(TERSE_SOURCE_DIR) + "/tests/golden/optimizers.json"));
  return json;
}

// The bound allows for rounding only. The largest difference is 3e-7 with a fused multiply-add, and
// 4e-7 without.
constexpr double kBound = 1e-6;

// max |a - b| / max |b|
double difference(const Values& a, const Values& b) {
  double most = 0, scale = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (!std::isfinite(a[i])) return INFINITY;
    most = std::max(most, std::abs(double{a[i]} - b[i]));
    scale = std::max(scale, std::abs(double{b[i]}));
  }
  return most / scale;
}

// Each case is a test of its own, so that its name appears in the output.
class Golden : public testing::TestWithParam<nlohmann::json> {
 protected:
  std::unique_ptr<UpdateRule> rule_ = make_update_rule(GetParam().at("spec").get<std::string>());
  float lr_ = GetParam().at("lr");
  Values x_ = golden().at("start");
};

TEST_P(Golden, FollowsPyTorchOnGivenGradients) {
  const auto& gradients = golden().at("gradients");
  const auto& rows = GetParam().at("given");
  ASSERT_EQ(rows.size(), 12);
  for (std::size_t step = 0; step < rows.size(); ++step) {
    rule_->apply(x_, gradients[step].get<Values>(), lr_);
    EXPECT_LE(difference(x_, rows[step]), kBound) << "step " << step;
  }
}

TEST_P(Golden, FollowsPyTorchForTwoHundredStepsOnAQuadratic) {
  const Values curvature = golden().at("curvature"), target = golden().at("target");
  const auto& rows = GetParam().at("quadratic");
  ASSERT_EQ(rows.size(), 10);
  Values gradient(x_.size());
  for (std::size_t step = 1; step <= 200; ++step) {
    for (std::size_t i = 0; i < x_.size(); ++i) gradient[i] = curvature[i] * (x_[i] - target[i]);
    rule_->apply(x_, gradient, lr_);
    if (step % 20 == 0) {
      EXPECT_LE(difference(x_, rows[step / 20 - 1]), kBound) << "step " << step;
    }
  }
}

std::string test_name(const testing::TestParamInfo<nlohmann::json>& info) {
  std::string name = info.param.at("spec");
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(TorchOptim, Golden,
                         testing::ValuesIn(golden().at("cases").get<std::vector<nlohmann::json>>()),
                         test_name);

// A rule that occurs neither in the trajectories nor in the references would not be tested at all.
TEST(GoldenFile, HasEveryRuleAndStage) {
  std::vector<std::string> compared;
  for (const auto& each : golden().at("cases")) compared.push_back(each.at("spec"));
  for (const auto& each : rule_references()) compared.emplace_back(each.spec);
  for (const auto& entry : update_rule_registry()) {
    EXPECT_TRUE(std::any_of(compared.begin(), compared.end(), [&](const auto& spec) {
      const auto stages = Spec::parse(spec).stages;
      return std::any_of(stages.begin(), stages.end(),
                         [&](const auto& stage) { return stage.name == entry.name; });
    })) << entry.name;
  }
}

}  // namespace
}  // namespace terse
