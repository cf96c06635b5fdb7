// Vogels, Karimireddy and Jaggi, "PowerSGD", arXiv 1905.13727.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "examples/paper/claim.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// ---- bytes --------------------------------------------------------------------------------------

// Payload bytes of one step. The sizes do not depend on the values.
double bytes_of_step(const std::string& spec, const std::vector<MatrixShape>& shapes) {
  auto gradients =
      make_gradients(shapes, [](std::int64_t i) { return static_cast<float>(i % 1009 - 504); });
  TestExchange exchange([&] { return make_compressor(spec); }, 1);
  exchange.step({std::move(gradients)});
  double bytes = 0;
  for (const auto& phase : exchange.phases()) {
    bytes += static_cast<double>(phase.up.front().payload().size());
  }
  return bytes;
}

// A row of the paper's tables: MiB of a worker in an epoch.
struct Volume {
  const char* model;
  const char* spec;
  double stated;
};
constexpr Volume kVolumes[] = {
    {"ResNet-18", "none", 1023},
    {"ResNet-18", "powersgd:rank=1", 4.21},
    {"ResNet-18", "powersgd:rank=2", 7.53},
    {"ResNet-18", "powersgd:rank=4", 14.2},
    {"ResNet-18", "sign", 32.0},
    {"ResNet-18", "topk:ratio=0.015625", 32.0},
    {"LSTM", "none", 7730},
    {"LSTM", "powersgd:rank=1", 25.0},
    {"LSTM", "powersgd:rank=2", 38.1},
    {"LSTM", "powersgd:rank=4", 64.2},
    {"LSTM", "sign", 242},
};

Experiment packet_bytes() {
  return {.name = "bytes/powersgd-tables",
          .configuration = {{"revision", 1}},
          .seconds = 20,
          .measure = [](const Rows&) {
            json volumes = json::array();
            for (const auto& [model, spec, stated] : kVolumes) {
              const bool image = std::string_view(model) == "ResNet-18";
              const double steps = image ? 24 : 70;
              const double bytes = bytes_of_step(spec, image ? resnet18_shapes() : lstm_shapes());
              volumes.push_back({{"model", model},
                                 {"method", spec},
                                 {"stated", stated},
                                 {"mib", bytes * steps / (1 << 20)}});
            }
            return json{{"volumes", volumes}};
          }};
}

Finding bytes_are_the_papers(const Rows& rows) {
  std::size_t equal = 0;
  double most = 0;
  const auto& volumes = rows["bytes/powersgd-tables"]["volumes"];
  for (const auto& v : volumes) {
    const double deviation = std::abs(v["mib"].get<double>() / v["stated"].get<double>() - 1);
    most = std::max(most, deviation);
    equal += fmt::format("{:.3g}", v["mib"].get<double>()) ==
             fmt::format("{:.3g}", v["stated"].get<double>());
  }
  const auto of = [&](std::size_t i) { return volumes[i]["mib"].get<double>(); };
  return {
      .verdict = equal == volumes.size() ? Verdict::holds : Verdict::fails,
      .measured = fmt::format(
          "{} of {} volumes equal to three digits; rank 1, 2, 4 of ResNet-18: {:.0f}×, {:.0f}×, "
          "{:.0f}× less than SGD; of the LSTM {:.0f}×, {:.0f}×, {:.0f}×",
          equal, volumes.size(), of(0) / of(1), of(0) / of(2), of(0) / of(3), of(6) / of(7),
          of(6) / of(8), of(6) / of(9))};
}

// ---- accuracy -----------------------------------------------------------------------------------

const Method kSgd{.name = "sgd", .optimizer = "sgd:momentum=0.9", .rate = 0.05};

Method powersgd(const char* name, const char* spec) {
  return {.name = name, .compressor = spec, .optimizer = "sgd:momentum=0.9", .rate = 0.05};
}
const Method kRankOne = powersgd("powersgd-1", "powersgd:rank=1+ef");
const Method kRankTwo = powersgd("powersgd-2", "powersgd:rank=2+ef");
const Method kRankFour = powersgd("powersgd-4", "powersgd:rank=4+ef");
const Method kRankSeven = powersgd("powersgd-7", "powersgd:rank=7+ef");
const Method kNoFeedback = powersgd("powersgd-2-no-feedback", "powersgd:rank=2");
const Method kCold = powersgd("powersgd-2-cold", "powersgd:rank=2,warm=false+ef");
const Method kBest =
    powersgd("best-rank-2", "powersgd:rank=2,iterations=4,warm=false,min_rate=0+ef");
const Method kUnbiased{.name = "unbiased-rank-2",
                       .compressor = "unbiased_rank:rank=2",
                       .optimizer = "adam",
                       .rate = 0.01};
const Method kSign{.name = "sign", .compressor = "sign+ef", .rate = 0.3};

// The operators of table 4 with as many bytes as PowerSGD of this rank.
Method operator_of(const char* name, const char* stage, int rank, double rate) {
  return {.name = fmt::format("{}-{}", name, rank),
          .compressor = fmt::format("{}:rank={}+ef", stage, rank),
          .rate = rate};
}
Method top_k(int rank) {
  return operator_of("top-k", "topk", rank, 0.4);
}
Method random_k(int rank) {
  return operator_of("random-k", "randomk", rank, 0.2);
}
Method random_block(int rank) {
  return operator_of("random-block", "randomblock", rank, 0.1);
}

// Below by more than `margin` points.
Finding is_below(const Rows& rows, const Setting& setting, const Method& a, const Method& b,
                 double margin) {
  return below(gain(rows, setting, a, b), -margin, 2, fmt::format("Δ {} − {}:", a.name, b.name));
}

// The scores of all methods stand behind the differences.
Finding with_scores(Finding finding, const Rows& rows, const Setting& setting,
                    const std::vector<Method>& methods) {
  for (const auto& method : methods) {
    finding.measured += "; " + score_text(rows, setting, method);
  }
  return finding;
}

std::vector<std::string> rows_of(const Setting& setting, const std::vector<Method>& methods) {
  std::vector<std::string> names;
  for (const auto& method : methods) names.push_back(row_of(setting, method));
  return names;
}

}  // namespace

Paper powersgd(Scale scale) {
  const Setting n = lenet(scale);
  const std::int64_t seeds = scale == Scale::whole ? 3 : 1;
  const std::vector<Method> all = {kSgd,        kRankOne,    kRankTwo,        kRankFour,
                                   kRankSeven,  kNoFeedback, kCold,           kBest,
                                   kUnbiased,   kSign,       top_k(7),        top_k(2),
                                   random_k(7), random_k(2), random_block(7), random_block(2)};
  Paper paper{.number = "1905.13727",
              .title = "PowerSGD: Practical Low-Rank Gradient Compression",
              .claims = {},
              .experiments = {packet_bytes()}};
  for (const auto& method : all) {
    paper.experiments.push_back(tuned(n, method));
    paper.experiments.push_back(trained(n, method, seeds));
  }
  const auto compare = [&](const char* name, const char* claimed, std::vector<Method> methods,
                           std::function<Finding(const Rows&)> decide, bool picture = false) {
    Claim claim{
        .name = name,
        .claimed = claimed,
        .experiments = rows_of(n, methods),
        .decide = [=](const Rows& rows) { return with_scores(decide(rows), rows, n, methods); }};
    if (picture) {
      claim.draw = [=](const Rows& rows) {
        return Charts{score_chart(rows, n, methods), bytes_chart(rows, n, methods)};
      };
    }
    paper.claims.push_back(std::move(claim));
  };

  paper.claims.push_back(
      {.name = "bytes",
       .claimed = "Tables 3, 4, 7: MiB an epoch on ResNet-18 and the LSTM; 243×, 136×, 72×; 310×, "
                  "203×, 120×",
       .experiments = {"bytes/powersgd-tables"},
       .decide = bytes_are_the_papers});
  compare("rank-one", "rank 1 loses a little", {kRankOne, kRankTwo},
          [=](const Rows& rows) { return is_below(rows, n, kRankOne, kRankTwo, 0); });
  compare("rank-four", "rank 4 gains nothing more", {kRankTwo, kRankFour},
          [=](const Rows& rows) { return no_loss(rows, n, kRankTwo, kRankFour); });
  compare(
      "feedback", "Table 1: unbiased low rank is far below error feedback",
      {kUnbiased, kRankTwo, kSgd},
      [=](const Rows& rows) { return is_below(rows, n, kUnbiased, kRankTwo, 5); }, true);
  compare("no-feedback", "appendix: without error feedback accuracy is not acceptable",
          {kNoFeedback, kRankTwo},
          [=](const Rows& rows) { return is_below(rows, n, kNoFeedback, kRankTwo, 1); });
  compare("warm-start", "Table 2: without a warm start a few tenths are lost", {kCold, kRankTwo},
          [=](const Rows& rows) { return is_below(rows, n, kCold, kRankTwo, 0); });
  compare("best-approximation",
          "Table 2: the best rank-2 approximation of the mean is no better than a warm start",
          {kRankTwo, kBest}, [=](const Rows& rows) { return no_loss(rows, n, kRankTwo, kBest); });
  compare(
      "medium", "Table 4, 32× (rank 7): all operators but random blocks come near SGD",
      {kSgd, kRankSeven, random_k(7), kSign, top_k(7), random_block(7)},
      [=](const Rows& rows) {
        return all_of({no_loss(rows, n, kRankSeven, kSgd), no_loss(rows, n, random_k(7), kSgd),
                       no_loss(rows, n, kSign, kSgd), no_loss(rows, n, top_k(7), kSgd),
                       is_below(rows, n, random_block(7), kSgd, 1)});
      },
      true);
  compare(
      "high", "Table 4, 128× (rank 2): only PowerSGD reaches SGD",
      {kRankTwo, top_k(2), random_k(2), random_block(2)},
      [=](const Rows& rows) {
        return all_of({is_below(rows, n, top_k(2), kRankTwo, 0),
                       is_below(rows, n, random_k(2), kRankTwo, 0),
                       is_below(rows, n, random_block(2), kRankTwo, 0)});
      },
      true);
  return paper;
}

}  // namespace terse::paper
