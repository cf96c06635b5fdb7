#include "examples/paper/split_worker_claims.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {
namespace {

const Method kHalvesVote{.name = "vote", .compressor = "vote", .rate = 0.002};
const Method kHalvesFeedback{.name = "sign+ef", .compressor = "sign+ef", .rate = 0.4};
const Method kHalvesSsdm{.name = "ssdm", .compressor = "ssdm:beta=0.9", .rate = 0.001};
const Method kHalvesScaledSsdm{
    .name = "ssdm-scaled", .compressor = "ssdm:beta=0.9,scaled", .rate = 0.002};
const Method kHalvesSgd = plain_sgd(0.4);

// Two workers, whose batches are together that of one worker: each has all classes, ...
Setting mixed_workers(Scale scale) {
  auto setting = perceptron(scale);
  setting.name = "perceptron-pair";
  setting.config.workers = 2;
  setting.config.topology = run::RunTopology::ring;
  setting.config.batch /= 2;
  return setting;
}
// ... or one has classes 0-4 and one 5-9.
Setting split_workers(Scale scale) {
  auto setting = mixed_workers(scale);
  setting.name = "perceptron-halves";
  setting.config.partition = kHalvesOfClasses;
  return setting;
}

std::vector<double> above_sgd(const Rows& rows, const Setting& setting, const Method& method) {
  return differences(scores(rows, setting, method), scores(rows, setting, kHalvesSgd));
}

// What split classes cost the method beyond what they cost SGD. A method that is worse than SGD with
// all classes, too, does not suffer from the split.
Finding split_costs_nothing(const Rows& rows, const Setting& split, const Setting& mixed,
                            const Method& method) {
  const auto with_split = above_sgd(rows, split, method);
  const auto with_mixed = above_sgd(rows, mixed, method);
  auto finding = above(interval_of(differences(with_split, with_mixed)), -1, 2,
                       fmt::format("Δ {} − sgd, split − mixed classes:", method.name));
  finding.measured += fmt::format(" (split {}, mixed {})", text_of(interval_of(with_split), 2),
                                  text_of(interval_of(with_mixed), 2));
  return finding;
}

run::LineChart titled_chart(const Rows& rows, const char* title, const Setting& setting,
                            const std::vector<Method>& methods) {
  auto chart = score_chart(rows, setting, methods);
  chart.title = title;
  return chart;
}

// What the theory of quadratics lets expect: scaled SSDM is unbiased, and a vote is not.
void add_split_order(TrainedClaims& on_split) {
  on_split.add("split-order",
               "where each worker has half of the classes, the vote is worst, and SSDM with its "
               "scale and error feedback come near SGD (expected from quadratics)",
               {kHalvesVote, kHalvesSsdm, kHalvesScaledSsdm, kHalvesFeedback, kHalvesSgd},
               [](const Rows& rows, const Setting& s) {
                 return all_of({is_below(rows, s, kHalvesVote, kHalvesSsdm, 0),
                                is_below(rows, s, kHalvesVote, kHalvesFeedback, 0),
                                no_loss(rows, s, kHalvesScaledSsdm, kHalvesSgd),
                                no_loss(rows, s, kHalvesFeedback, kHalvesSgd)});
               });
}

// Scaled SSDM, which is unbiased, is shown beside it.
void add_split_ssdm(Paper& paper, const Setting& split, const Setting& mixed) {
  const std::vector<Method> methods = {kHalvesSsdm, kHalvesScaledSsdm, kHalvesSgd};
  add_claim_on(
      paper, "split-ssdm",
      "SSDM does not suffer where each worker has half of the classes (withdrawn by the authors "
      "in version 6)",
      runs_of({split, mixed}, methods),
      [=](const Rows& rows) {
        auto finding = split_costs_nothing(rows, split, mixed, kHalvesSsdm);
        finding.measured += "; " +
                            split_costs_nothing(rows, split, mixed, kHalvesScaledSsdm).measured +
                            "; split classes, " + scores_text(rows, split, methods) +
                            "; mixed classes, " + scores_text(rows, mixed, methods);
        return finding;
      },
      [=](const Rows& rows) {
        return Charts{titled_chart(rows, "Each worker has half of the classes", split, methods),
                      titled_chart(rows, "Each worker has all classes", mixed, methods)};
      });
}

}  // namespace

void add_split_workers(Paper& paper, Scale scale) {
  const auto split = split_workers(scale);
  TrainedClaims on_split(paper, split);
  on_split.add("split-vote", "votes suffer where each worker has half of the classes",
               {kHalvesVote, kHalvesSgd}, [](const Rows& rows, const Setting& s) {
                 return is_below(rows, s, kHalvesVote, kHalvesSgd, 1);
               });
  on_split.add("split-feedback",
               "error feedback does not suffer where each worker has half of the classes",
               {kHalvesFeedback, kHalvesSgd, kHalvesVote}, [](const Rows& rows, const Setting& s) {
                 return no_loss(rows, s, kHalvesFeedback, kHalvesSgd);
               });
  add_split_ssdm(paper, split, mixed_workers(scale));
  add_split_order(on_split);
}

}  // namespace terse::paper
