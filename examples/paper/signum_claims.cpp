#include "examples/paper/signum_claims.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"
#include "examples/paper/vote_experiments.hpp"

namespace terse::paper {
namespace {

Finding adam_is_sign_descent(const Rows& rows) {
  const auto& row = rows["perceptron/adam-limit"];
  return {.verdict = row.at("differ") == 0 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format(
              "largest difference {:g}: {} of {} parameters differ; test accuracy {:.1f}",
              row.at("difference").get<double>(), row.at("differ").get<int>(),
              row.at("parameters").get<int>(), row.at("score").get<double>())};
}

const Method kAdam{.name = "adam", .optimizer = "adam", .rate = 0.002};
const Method kSignum{.name = "signum", .optimizer = "signum:beta=0.9", .rate = 0.001};

}  // namespace

void add_adam_limit(Paper& paper, Scale scale) {
  paper.experiments.push_back(adam_limit(scale));
  paper.claims.push_back({.name = "adam-limit",
                          .claimed = "Adam with β₁ = β₂ = ε = 0 is signSGD",
                          .experiments = {"perceptron/adam-limit"},
                          .decide = adam_is_sign_descent});
}

void add_signum_claims(Paper& paper, Scale scale) {
  TrainedClaims on_lenet(paper, lenet(scale));
  on_lenet.add("signum-adam", "Signum performs as Adam does", {kSignum, kAdam},
               [](const Rows& rows, const Setting& s) { return no_loss(rows, s, kSignum, kAdam); });
  on_lenet.add("signum-sgd", "Signum is a little below tuned SGD", {kSignum, kSgd, kAdam, kSignSgd},
               [](const Rows& rows, const Setting& s) {
                 return within(gain(rows, s, kSignum, kSgd), -3, 0, 2, "Δ signum − sgd:");
               });
  on_lenet.add("signum-signsgd", "momentum helps signSGD", {kSignum, kSignSgd},
               [](const Rows& rows, const Setting& s) {
                 return above(gain(rows, s, kSignum, kSignSgd), 0, 2, "Δ signum − signsgd:");
               });
}

}  // namespace terse::paper
