// The table of methods is complete, and entries are found by the stages of a spec. Lists of shapes.
#include <gtest/gtest.h>

#include <algorithm>

#include "examples/run/methods.hpp"
#include "examples/run/shape_list.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {
namespace {

TEST(Methods, EveryCompressorAndSchemeIsAmongAll) {
  const auto all = all_methods();
  for (const auto& entry : compressor_registry()) {
    if (entry.decorator && entry.bare.empty()) continue;  // not a method by itself
    EXPECT_TRUE(std::ranges::any_of(all, [&](const auto& method) {
      const auto stages = Spec::parse(method).stages;
      return std::ranges::find(stages, entry.name, &Stage::name) != stages.end();
    })) << entry.name;
  }
  for (const auto& method : all) EXPECT_NE(make_compressor(method), nullptr);
}

// The paper trains with gradients clipped to 2.5 standard deviations.
TEST(Methods, TernGradIsClippedAsInItsPaper) {
  const auto all = all_methods();
  EXPECT_NE(std::ranges::find(all, "terngrad:clip=2.5"), all.end());
  EXPECT_EQ(recommended("terngrad", false).lr, recommended("terngrad:clip=2.5", false).lr);
}

TEST(ShapeList, LeNetHasTheShapesOfItsModel) {
  const auto shapes = parse_shapes("lenet");
  // Rows, columns, and values per pair of channels of each weight; a bias follows each of them.
  const std::int64_t weights[][3] = {
      {6, 25, 25}, {16, 150, 25}, {120, 400, 1}, {84, 120, 1}, {10, 84, 1}};
  ASSERT_EQ(shapes.size(), 2 * std::size(weights));
  for (std::size_t i = 0; i < std::size(weights); ++i) {
    const auto &weight = shapes[2 * i], &bias = shapes[2 * i + 1];
    EXPECT_EQ(weight.rows, weights[i][0]) << weight.name;
    EXPECT_EQ(weight.cols, weights[i][1]) << weight.name;
    EXPECT_EQ(weight.kernel, weights[i][2]) << weight.name;
    EXPECT_EQ(bias.rows, weights[i][0]) << bias.name;
    EXPECT_EQ(bias.cols, 1) << bias.name;
  }
}

TEST(Methods, TheRowWithMostOfTheStagesHolds) {
  EXPECT_EQ(recommended("sign", false).lr, recommended("none", false).lr);
  EXPECT_NE(recommended("sign+ef", false).lr, recommended("none", false).lr);
  EXPECT_EQ(recommended("sign+ef:target=averaged+clip:norm=1", false).lr,
            recommended("sign+ef", false).lr);
  EXPECT_EQ(recommended("onebit_adam", false).optimizer, "adam:eps=1e-4");
  EXPECT_EQ(recommended("doublesqueeze", false).lr, recommended("sign+doublesqueeze", false).lr);
  EXPECT_EQ(recommended("terngrad:bucket=64+diana", false).lr, recommended("diana", false).lr);
  EXPECT_NE(recommended("diana", false).lr, recommended("terngrad", false).lr);
}

TEST(Methods, WhereGradientsAreStaleThereIsNoMomentumAndLessRate) {
  EXPECT_EQ(recommended_stale("none", false, 0.25).optimizer, "sgd");
  EXPECT_NEAR(recommended_stale("none", false, 0.25).lr, 0.25 * 0.05 / (1 - 0.9), 1e-9);
  EXPECT_NEAR(recommended_stale("topk+ef", false, 0.5).lr, 0.5 * recommended("topk+ef", false).lr,
              1e-9);
}

}  // namespace
}  // namespace terse::run
