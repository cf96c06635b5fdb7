#include "tersegrad/core/parameters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

struct Two {
  Tensor w = Tensor::from({2, 3, 1, 1}, {1, 2, 3, 4, 5, 6});
  Tensor b = Tensor::from({2}, {7, 8});
  ParameterBuffer flat = make();

  ParameterBuffer make() {
    w.set_requires_grad();
    b.set_requires_grad();
    const std::array<ParameterBuffer::Named, 2> named{{{"w", w}, {"b", b}}};
    return ParameterBuffer(named);
  }
};

TEST(ParameterBuffer, LaysParametersOneBehindTheOther) {
  Two two;
  EXPECT_EQ(two.flat.numel(), 8);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(two.flat.values()[i], static_cast<float>(i + 1));
  const auto infos = two.flat.infos();
  EXPECT_EQ(infos[0].name, "w");
  EXPECT_EQ(infos[0].rows, 2);
  EXPECT_EQ(infos[0].cols, 3);
  EXPECT_EQ(infos[1].offset, 6);
  EXPECT_EQ(infos[1].cols, 1);
}

TEST(ParameterBuffer, EveryHandleFollows) {
  Two two;
  const Tensor other_handle = two.w;
  two.flat.values()[0] = 100;
  EXPECT_EQ(two.w.data()[0], 100);
  EXPECT_EQ(other_handle.data()[0], 100);
}

TEST(ParameterBuffer, GradientsLandInTheBuffer) {
  Two two;
  sum(square(two.b)).backward();
  const auto gradients = two.flat.gradients();
  EXPECT_EQ(gradients[6], 14);
  EXPECT_EQ(gradients[7], 16);
  EXPECT_EQ(two.b.grad().data().data(), gradients.data() + 6);
}

TEST(ParameterBuffer, AParameterThatNothingReachedHasAZeroGradient) {
  Two two;
  sum(square(two.w)).backward();
  two.flat.zero_grad();
  sum(square(two.b)).backward();
  const auto gradients = two.flat.gradients();
  EXPECT_TRUE(
      std::all_of(gradients.begin(), gradients.begin() + 6, [](float g) { return g == 0; }));
  EXPECT_EQ(gradients[6], 14);
}

TEST(ParameterBuffer, KnowsItsParametersByAnyHandle) {
  const Tensor none = Tensor::zeros({0}), a = Tensor::zeros({3}), b = Tensor::zeros({2, 1});
  const ParameterBuffer flat(std::vector<ParameterBuffer::Named>{
      {"first", Tensor::zeros({0})}, {"a", a}, {"none", none}, {"b", b}});
  const Tensor other_handle = b;
  EXPECT_EQ(flat.id_of(a), 1);
  EXPECT_EQ(flat.id_of(other_handle), 3);
  EXPECT_EQ(flat.id_of(none), std::nullopt);
  EXPECT_EQ(flat.id_of(Tensor::zeros({3})), std::nullopt);
}

}  // namespace
}  // namespace terse
