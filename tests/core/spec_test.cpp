#include "tersegrad/core/spec.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

void expect_usage_error(const std::function<void()>& f, const std::string& part) {
  try {
    f();
    FAIL() << "no error: " << part;
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Spec, RoundTrips) {
  for (const char* text :
       {"none", "topk:ratio=0.01+ef", "powersgd:rank=2,warm=false+ef:target=local",
        "mnist:/some/dir", "vote:beta=0.9+clip:norm=1"}) {
    EXPECT_EQ(Spec::parse(text).to_string(), text);
  }
}

TEST(Spec, RefusesWhatIsNoSpec) {
  for (const char* text : {"", "+ef", "topk+", "topk:", "topk:=1", "topk:ratio=1,", "to pk"}) {
    EXPECT_THROW(Spec::parse(text), UsageError) << text;
  }
  expect_usage_error([] { parse_stage("model", "lenet+mlp"); }, "one stage");
}

TEST(Options, ReadsEveryType) {
  Options o("compressor", parse_stage("compressor", "x:ratio=0.5,k=7,flag,word=b"));
  EXPECT_EQ(o.number("ratio", 0, 0, 1), 0.5);
  EXPECT_EQ(o.integer("k", 0, 0, 10), 7);
  EXPECT_TRUE(o.flag("flag", false));
  constexpr std::string_view words[] = {"a", "b"};
  EXPECT_EQ(o.choice("word", "a", words), "b");
  EXPECT_EQ(o.number("other", 2.5, 0, 10), 2.5);
  o.finish();
}

TEST(Options, SaysWhatWouldBeRight) {
  const auto stage = parse_stage("compressor", "topk:ratio=2,k=many,word=c,flag=maybe");
  Options o("compressor", stage);
  expect_usage_error([&] { o.number("ratio", 0, 0, 1); },
                     "compressor 'topk': ratio must be a number from 0 to 1; got '2'");
  expect_usage_error([&] { o.integer("k", 0, 0, 10); }, "a whole number from 0 to 10; got 'many'");
  constexpr std::string_view words[] = {"a", "b"};
  expect_usage_error([&] { o.choice("word", "a", words); }, "one of a, b; got 'c'");
  expect_usage_error([&] { o.flag("flag", false); }, "true or false");
}

TEST(Options, AnUnknownKeyListsTheKnownOnes) {
  Options o("compressor", parse_stage("compressor", "topk:ration=0.1"));
  o.number("ratio", 0.01, 0, 1);
  o.integer("k", 0, 0, 10);
  expect_usage_error([&] { o.finish(); }, "did you mean ratio?");
  expect_usage_error([&] { o.finish(); }, "known: ratio, k");
  expect_usage_error([] { Options("compressor", parse_stage("", "none:x=1")).finish(); },
                     "takes no options");
}

TEST(Options, AKeyAloneCanBeAPath) {
  Options o("data", parse_stage("data", "mnist:/data/dir"));
  o.text("path", "");
  EXPECT_EQ(o.positional(), "/data/dir");
  o.finish();
}

TEST(Options, AKeyGivenTwiceIsAnError) {
  Options o("compressor", parse_stage("", "topk:k=1,k=2"));
  expect_usage_error([&] { o.integer("k", 0, 0, 10); }, "given twice");
}

TEST(UnknownName, PutsNearMatchesFirst) {
  EXPECT_EQ(
      unknown_name("compressor", "powrsgd", {"none", "topk", "powersgd"}),
      "compressor 'powrsgd' is not known; did you mean powersgd?; known: powersgd, none, topk");
  EXPECT_NE(unknown_name("compressor", "tokp", {"none", "topk"}).find("did you mean topk?"),
            std::string::npos);
  EXPECT_EQ(unknown_name("compressor", "zzz", {"none", "topk"}).find("did you mean"),
            std::string::npos);
}

}  // namespace
}  // namespace terse
