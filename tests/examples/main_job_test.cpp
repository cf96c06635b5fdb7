// LeNet-5 on Fashion-MNIST with four workers for three epochs reaches the claimed accuracy for each
// method, with a learning rate per method. The bounds allow one and a half points for the seed.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "examples/run/methods.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

const std::map<std::string, double> kLeastAccuracy = {{"none", 0.88},
                                                      {"powersgd:rank=2+ef", 0.87},
                                                      {"topk:ratio=0.01+ef", 0.865},
                                                      {"vote:beta=0.9", 0.86},
                                                      {"sign+ef", 0.84}};

TEST(MainJob, ReachesItsAccuracies) {
  Dataset data;
  try {
    data = load_dataset("fashion-mnist", 1);
  } catch (const Error& e) {
    GTEST_SKIP() << e.what();
  }
  for (const auto& method : main_methods()) {
    RunConfig c;
    c.compressor = method;
    c.epochs = 3;
    c.eval_every = 0;
    complete(c);
    const auto result = train(c, data, {});
    const double accuracy = result.evaluations.back().accuracy;
    RecordProperty(method, std::to_string(accuracy));
    const auto least = kLeastAccuracy.find(method);
    EXPECT_GE(accuracy, least == kLeastAccuracy.end() ? 0.75 : least->second) << method;
  }
}

}  // namespace
}  // namespace terse::run
