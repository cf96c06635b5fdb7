// Tests of the conversion of spec strings to compressors and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {
namespace {

using testing::HasSubstr;

std::string usage_error(std::string_view spec) {
  try {
    make_compressor(spec);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST(Registry, NamesAndNumbersAreUnique) {
  std::set<std::string_view> names;
  std::set<int> numbers;
  for (const auto& entry : compressor_registry()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_TRUE(numbers.insert(entry.number).second) << entry.name;
    EXPECT_FALSE(entry.summary.empty()) << entry.name;
    EXPECT_NE(entry.number, 0) << "0 is for raw values";
  }
}

TEST(Registry, EveryExampleRoundTrips) {
  for (const auto& entry : compressor_registry()) {
    const auto written = make_compressor(entry.example)->spec();
    EXPECT_EQ(make_compressor(written)->spec(), written) << entry.example;
    EXPECT_THAT(std::string(entry.example), HasSubstr(std::string(entry.name)));
  }
}

TEST(Registry, SpecWritesEveryOptionOut) {
  const auto written = [](std::string_view spec) { return make_compressor(spec)->spec(); };
  EXPECT_EQ(written("vote"), "vote:beta=0,tie=random,zero=random,exchange=slices");
  EXPECT_EQ(written("vote:beta=0.9"),
            "vote:beta=0.9,warmup=false,tie=random,zero=random,exchange=slices");
  EXPECT_EQ(written("vote:beta=0.9,tie=zero+warmup:steps=7"),
            "vote:beta=0.9,warmup=false,tie=zero,zero=random,exchange=slices+warmup:steps=7");
  EXPECT_EQ(written("topk"), "topk:ratio=0.01,warmup=0,scope=tensor");
  EXPECT_EQ(written("topk:k=12,scope=model"), "topk:k=12,warmup=0,scope=model");
  EXPECT_EQ(written("randomk:ratio=0.003676470588235294,scaled"),
            "randomk:ratio=0.003676470588235294,warmup=0,scaled=true");
  EXPECT_EQ(written("powersgd+ef+momentum+clip:norm=0.4+min:size=10"),
            "powersgd:rank=2,alternate=false,warm=true,iterations=1,min_rate=1+ef:target=local,lr="
            "outside+momentum:"
            "beta=0.9,form=ema,init="
            "zero,nesterov=false,mask=false,warmup=0+clip:norm=0.4"
            "+min:size=10");
}

TEST(Registry, WrongSpecsAreRefusedWithWhatWouldBeRight) {
  EXPECT_THAT(usage_error("powrsgd"), HasSubstr("did you mean powersgd?"));
  EXPECT_THAT(usage_error("topk:rato=0.1"), HasSubstr("did you mean ratio?"));
  EXPECT_THAT(usage_error("topk:ratio=2"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(usage_error("topk:ratio=0.1,k=3"),
              HasSubstr("expected one of ratio=, k= and rank=; got 2"));
  EXPECT_THAT(usage_error("vote:tie=maybe"), HasSubstr("zero, plus, random"));
  EXPECT_THAT(usage_error("ef"), HasSubstr("expected a compressor before ef"));
  EXPECT_THAT(usage_error("none:x=1"), HasSubstr("takes no options"));
}

TEST(Registry, DecoratorsForwardTheTraitsOfTheStep) {
  const auto traits = [](std::string_view spec, std::uint64_t step) {
    return make_compressor(spec)->traits(step);
  };
  EXPECT_EQ(traits("powersgd+ef+warmup:steps=5", 4).phases, 1);
  EXPECT_EQ(traits("powersgd+ef+warmup:steps=5", 5).phases, 2);
  EXPECT_EQ(traits("powersgd+warmup:steps=5+ef+momentum+clip", 5).phases, 2);
  EXPECT_TRUE(traits("vote+warmup:steps=5", 0).linear);
  EXPECT_TRUE(traits("vote+warmup:steps=5", 5).sliceable);
  EXPECT_TRUE(traits("vote+ef:unsafe+momentum", 0).sliceable);
  EXPECT_FALSE(traits("vote+min", 0).sliceable);
  EXPECT_FALSE(traits("vote:exchange=gather", 0).sliceable);
  EXPECT_TRUE(traits("randomk+min", 0).linear);
  EXPECT_TRUE(traits("none+clip", 0).whole_model);
  EXPECT_TRUE(traits("topk:scope=model+warmup:steps=5", 0).whole_model);
  EXPECT_FALSE(traits("powersgd+ef", 0).self_contained);
}

}  // namespace
}  // namespace terse
