// docs/tutorial_compressor.md, followed to the letter; see CMakeLists.txt beside.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/optim/testing/check_laws.hpp"

namespace terse {
namespace {

// The page's own test.
#include "tutorial_compressor/claims.hpp"

TEST(Tutorial, ThreeLevelsIsInTheRegistryWithANumberOfItsOwn) {
  const auto registry = compressor_registry();
  const auto entry = std::ranges::find(registry, "threelevels", &RegistryEntry::name);
  ASSERT_NE(entry, registry.end());
  EXPECT_EQ(std::ranges::count(registry, entry->number, &RegistryEntry::number), 1);
  EXPECT_EQ(make_compressor("threelevels+ef")->spec(), "threelevels+ef:target=local,lr=outside");
}

TEST(Tutorial, ClaimingTooMuchIsFoundOut) {
  const auto broken =
      check_laws([] { return make_compressor("threelevels"); },
                 {.error = [](const auto&) { return 0.9; }, .error_is_exact = true});
  ASSERT_FALSE(broken.empty());
  EXPECT_EQ(broken.front().rfind("contraction: input 0:", 0), 0U) << broken.front();
}

}  // namespace
}  // namespace terse
