// Every registered compressor obeys the laws, with the properties that claims.cpp claims for it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "claims.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"

namespace terse {
namespace {

// GoogleTest allows only letters, digits and underscores.
std::string test_name(std::string spec) {
  std::ranges::replace_if(
      spec, [](char c) { return std::isalnum(c) == 0; }, '_');
  return spec;
}

TEST(Laws, EveryRegisteredCompressorIsClaimed) {
  const auto claimed = claimed_specs();
  for (const auto& entry : compressor_registry()) {
    if (entry.decorator) continue;
    EXPECT_TRUE(
        std::ranges::any_of(claimed, [&](const auto& c) { return c.spec == entry.example; }))
        << "tests/optim/claims.cpp has no row for the example of " << entry.name << ": "
        << entry.example;
  }
}

class Law : public testing::TestWithParam<ClaimedSpec> {};

TEST_P(Law, Holds) {
  const ClaimedSpec& law = GetParam();
  const auto broken = check_laws([&] { return make_compressor(law.spec); }, law.claims);
  EXPECT_TRUE(broken.empty()) << law.spec << "\n" << fmt::format("{}", fmt::join(broken, "\n"));
}

INSTANTIATE_TEST_SUITE_P(Compressors, Law, testing::ValuesIn(claimed_specs()),
                         [](const auto& c) { return test_name(c.param.spec); });

// Checks that the laws detect false claims.
TEST(Laws, FalseClaimsAreFound) {
  const auto topk = [] { return make_compressor("topk:ratio=0.25"); };
  const auto error = [](const auto&) { return 0.01; };
  EXPECT_FALSE(check_laws(topk, {.error = error}).empty());
  EXPECT_FALSE(check_laws(topk, {.unbiased = true}).empty());
  EXPECT_FALSE(check_laws(topk, {.linear = true}).empty());
  EXPECT_FALSE(check_laws(topk, {.payload_bytes = [](const auto&) { return 8; }}).empty());
  EXPECT_FALSE(check_laws(topk, {.rotatable = true}).empty());
  EXPECT_TRUE(check_laws(topk, {.permutable = true}).empty());
  const auto powersgd = [] { return make_compressor("powersgd"); };
  EXPECT_FALSE(check_laws(powersgd, {.linear = true, .permutable = true}).empty());
  const auto mean = [](const Round&, const auto& workers) { return mean_of(workers); };
  EXPECT_FALSE(check_laws(topk, {.reference = mean}).empty());
}

// A compressor that declares more than holds.
class Boaster final : public Decorator {
 public:
  Boaster(std::string_view inside, std::optional<double> variance, bool contracts)
      : Decorator(make_compressor(inside)), variance_(variance), contracts_(contracts) {}

  std::string spec() const override { return inner_->spec(); }
  bool is_contraction() const override { return contracts_; }
  std::optional<double> variance(std::uint64_t, std::span<const GradView>) const override {
    return variance_;
  }

 private:
  std::optional<double> variance_;
  bool contracts_;
};

TEST(Laws, FalseDeclarationsAreFound) {
  const auto broken = [](std::string_view inside, std::optional<double> variance, bool contracts,
                         bool unbiased) {
    const auto make = [=] { return std::make_unique<Boaster>(inside, variance, contracts); };
    return fmt::format("{}", fmt::join(check_laws(make, {.unbiased = unbiased}), "\n"));
  };
  constexpr auto npos = std::string::npos;
  // The largest law tensor has 120 values: at most (sqrt(120) - 1)/2 = 4.98.
  EXPECT_EQ(broken("terngrad", 4.98, false, true), "");
  EXPECT_TRUE(broken("terngrad", 2, false, true).find("declares omega = 2") != npos);
  EXPECT_TRUE(broken("terngrad", {}, true, true).find("declares a contraction") != npos);
  EXPECT_TRUE(broken("sign", 10, true, false).find("not claimed to be unbiased") != npos);
}

// Decorated compressors obey the laws that need no claims.
class DecoratorLaw : public testing::TestWithParam<std::string> {};

TEST_P(DecoratorLaw, Holds) {
  const auto spec = GetParam();
  const auto make = [&] { return make_compressor(spec); };
  const auto traits = make()->traits(0);
  const auto broken = check_laws(make, {.linear = traits.linear,
                                        .recoded = spec.find("doublesqueeze") != std::string::npos,
                                        .whole_model = traits.whole_model});
  EXPECT_TRUE(broken.empty()) << spec << "\n" << fmt::format("{}", fmt::join(broken, "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Decorated, DecoratorLaw,
    testing::Values("topk:ratio=0.01+momentum:beta=0.5", "sign+min:size=10", "topk+min:size=50",
                    "powersgd:rank=2+min:size=100", "randomk:ratio=0.1+min:size=8",
                    "vote:tie=plus+min:size=40", "sign+clip:norm=0.5", "vote+warmup:steps=2",
                    "powersgd+warmup:steps=1+momentum", "topk+clip:norm=1+min:size=5", "qsgd+noise",
                    "sign+doublesqueeze", "topk:ratio=0.1+momentum:form=sum,nesterov,mask",
                    "stochastic_sign+diana", "randomk:ratio=0.2,scaled+diana", "diana",
                    "natural+min:size=10+diana:alpha=0.5", "topk:ratio=0.1+ef21", "powersgd+ef21",
                    "topk:ratio=0.1+ef:lr=inside", "sign:scope=model+ef",
                    "sign:scale=l2,scope=model+doublesqueeze:unsafe",
                    "sign+doublesqueeze+onebit_adam:steps=0"),
    [](const auto& law) { return test_name(law.param); });

}  // namespace
}  // namespace terse
