#include "tersegrad/core/shape.hpp"

#include <gtest/gtest.h>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ((Shape{2, 3, 4}).numel(), 24);
  EXPECT_EQ((Shape{2, 0}).numel(), 0);
}

TEST(Shape, PrintsAsATuple) {
  EXPECT_EQ(Shape{}.to_string(), "()");
  EXPECT_EQ((Shape{64, 1, 28, 28}).to_string(), "(64, 1, 28, 28)");
}

TEST(Shape, ReplacesAndDropsDimensions) {
  EXPECT_EQ((Shape{2, 3}).with(0, 5), (Shape{5, 3}));
  EXPECT_EQ((Shape{2, 3, 4}).without(1), (Shape{2, 4}));
  EXPECT_FALSE((Shape{2}) == (Shape{2, 1}));
}

TEST(Shape, RefusesMoreThanSixDimensions) {
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), Error);
}

}  // namespace
}  // namespace terse
