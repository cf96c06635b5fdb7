// Tests the code of docs/tutorial_compressor.md; see CMakeLists.txt in this folder.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/optim/testing/check_laws.hpp"

namespace terse {
namespace {

// The test that is printed on the page.
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
