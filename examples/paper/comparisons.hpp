// Verdicts on trained models: one method against another, seed by seed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// The scores of this method in this setting, by seed.
std::vector<double> scores(const Rows& rows, const Setting& setting, const Method& method);

// How much better `a` is than `b`: points of accuracy, or by how many percent its perplexity is less
// than that of `b`, of the seeds that both have.
Interval gain(const Rows& rows, const Setting& setting, const Method& a, const Method& b);

// What counts as no loss: at most one point of accuracy, or 2 % of perplexity.
inline constexpr double kAllowedPoints = 1, kAllowedPercent = 2;
// The worst score that loses nothing against `score`.
double without_loss(const Setting& setting, double score);
// `a` loses nothing against `b`.
Finding no_loss(const Rows& rows, const Setting& setting, const Method& a, const Method& b);

// `a` is below `b` by more than `margin` points or percent.
Finding is_below(const Rows& rows, const Setting& setting, const Method& a, const Method& b,
                 double margin);

// Adds the experiment unless the paper has it. InternalError if it has another one of this name.
void add_once(Paper& paper, Experiment experiment);
// Adds the run of this method to the claim, and to the paper with the candidates for its rate.
void add_trained(Paper& paper, Claim& claim, const Setting& setting, const Method& method);

using Runs = std::vector<std::pair<Setting, Method>>;
// Those of all methods in all settings.
Runs runs_of(const std::vector<Setting>& settings, const std::vector<Method>& methods);
// Adds a claim about these runs, and their experiments that the paper does not have yet.
Claim& add_claim_on(Paper& paper, const char* name, const char* claimed, const Runs& runs,
                    std::function<Finding(const Rows&)> decide,
                    std::function<Charts(const Rows&)> draw = {});

// Claims about trained models, for one setting. Claims share the rows of their methods.
class TrainedClaims {
 public:
  TrainedClaims(Paper& paper, Setting setting) : paper_(paper), setting_(std::move(setting)) {}

  using Decide = std::function<Finding(const Rows& rows, const Setting& setting)>;
  // Adds the claim, and the experiments of its methods that the paper does not have yet. The scores
  // of all methods stand behind what `decide` has found. The picture has the scores over epochs, and
  // over bytes if a method compresses and there is somebody to send to.
  void add(const char* name, const char* claimed, const std::vector<Method>& methods,
           const Decide& decide);

 private:
  Paper& paper_;
  Setting setting_;
};

// "92.53 ± 0.21 (rate 0.05, 32× fewer bytes)": mean and standard deviation over the seeds, and the
// packet of a worker against one of `whole_bytes`.
std::string score_text(const Rows& rows, const Setting& setting, const Method& method,
                       double whole_bytes = 0);
// "lenet, test accuracy in %: sgd 88.77 ± 0.21 (rate 0.05), vote …". Packets are compared with those
// of the method that does not compress, if there is one.
std::string scores_text(const Rows& rows, const Setting& setting,
                        const std::vector<Method>& methods);

// The scores of the methods over the epochs, means over the seeds.
run::LineChart score_chart(const Rows& rows, const Setting& setting,
                           const std::vector<Method>& methods);
// The same over the bytes that a worker has sent.
run::LineChart bytes_chart(const Rows& rows, const Setting& setting,
                           const std::vector<Method>& methods);
// The same over the time in the modelled network.
run::LineChart time_chart(const Rows& rows, const Setting& setting,
                          const std::vector<Method>& methods);

// The means over the seeds of seed[key], a curve for each method, over settings at `x`.
run::LineChart chart_of_settings(const Rows& rows, std::string title, run::ChartAxis x_axis,
                                 run::ChartAxis y_axis, const std::vector<double>& x,
                                 const std::vector<Setting>& settings,
                                 const std::vector<Method>& methods, const char* key);

}  // namespace terse::paper
