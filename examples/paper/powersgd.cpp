// Vogels, Karimireddy and Jaggi, "PowerSGD", arXiv 1905.13727.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "examples/paper/claim.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/powersgd_residual.hpp"
#include "examples/paper/powersgd_times.hpp"
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
  const auto& volumes = rows["bytes/powersgd-tables"].at("volumes");
  for (const auto& v : volumes) {
    const double deviation = std::abs(v.at("mib").get<double>() / v.at("stated").get<double>() - 1);
    most = std::max(most, deviation);
    equal += fmt::format("{:.3g}", v.at("mib").get<double>()) ==
             fmt::format("{:.3g}", v.at("stated").get<double>());
  }
  const auto of = [&](std::size_t i) { return volumes.at(i).at("mib").get<double>(); };
  return {
      .verdict = equal == volumes.size() ? Verdict::holds : Verdict::fails,
      .measured = fmt::format(
          "{} of {} volumes equal to three digits; rank 1, 2, 4 of ResNet-18: {:.0f}×, {:.0f}×, "
          "{:.0f}× less than SGD; of the LSTM {:.0f}×, {:.0f}×, {:.0f}×",
          equal, volumes.size(), of(0) / of(1), of(0) / of(2), of(0) / of(3), of(6) / of(7),
          of(6) / of(8), of(6) / of(9))};
}

// ---- accuracy -----------------------------------------------------------------------------------

const Method kRankOne = powersgd_method("powersgd-1", "powersgd:rank=1+ef");
// As the paper has it: no rate of its own.
const Method kRankTwoAtSgdsRate{.name = "powersgd-2-at-sgds-rate",
                                .compressor = kRankTwo.compressor,
                                .optimizer = kSgd.optimizer,
                                .rate_of = std::make_shared<const Method>(kSgd)};
const Method kRankFour = powersgd_method("powersgd-4", "powersgd:rank=4+ef");
const Method kRankSeven = powersgd_method("powersgd-7", "powersgd:rank=7+ef");
const Method kNoFeedback = powersgd_method("powersgd-2-no-feedback", "powersgd:rank=2");
const Method kCold = powersgd_method("powersgd-2-cold", "powersgd:rank=2,warm=false+ef");
const Method kBest =
    powersgd_method("best-rank-2", "powersgd:rank=2,iterations=4,warm=false,min_rate=0+ef");
const Method kUnbiased{.name = "unbiased-rank-2",
                       .compressor = "unbiased_rank:rank=2",
                       .optimizer = "adam",
                       .rate = 0.01};
const Method kAtomo{.name = "atomo-2", .compressor = "atomo:rank=2", .rate = 0.3};
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

// ---- rates --------------------------------------------------------------------------------------

// PowerSGD's best rates on validation are those of SGD.
Claim same_rates(Scale scale) {
  struct Pair {
    Setting setting;
    Method sgd, powersgd;
  };
  const std::vector<Pair> pairs = {{lenet(scale), kSgd, kRankTwo},
                                   {resnet20(scale), kSgd, kRankTwo},
                                   {lstm(scale), kTextSgd, kTextRankFour}};
  Claim claim{
      .name = "same-rate",
      .claimed = "PowerSGD needs no new learning rate",
      .experiments = {},
      .decide = [pairs](const Rows& rows) {
        bool equal = true;
        std::string text;
        for (const auto& [setting, sgd, powersgd] : pairs) {
          const double of_sgd = rows[tuning_of(setting, sgd)].at("best");
          const double own = rows[tuning_of(setting, powersgd)].at("best");
          equal = equal && of_sgd == own;
          text += fmt::format("{}best rate on {}: {} {:g}, {} {:g}", text.empty() ? "" : "; ",
                              setting.name, sgd.name, of_sgd, powersgd.name, own);
        }
        return Finding{.verdict = equal ? Verdict::holds : Verdict::fails, .measured = text};
      }};
  for (const auto& [setting, sgd, powersgd] : pairs) {
    claim.experiments.push_back(tuning_of(setting, sgd));
    claim.experiments.push_back(tuning_of(setting, powersgd));
  }
  return claim;
}

// ---- claims -------------------------------------------------------------------------------------

void add_bytes(Paper& paper) {
  paper.experiments.push_back(packet_bytes());
  paper.claims.push_back(
      {.name = "bytes",
       .claimed = "Tables 3, 4, 7: MiB an epoch on ResNet-18 and the LSTM; 243×, 136×, 72×; 310×, "
                  "203×, 120×",
       .experiments = {"bytes/powersgd-tables"},
       .decide = bytes_are_the_papers});
}

// Table 3: ranks 1, 2 and 4 on images and text.
void add_rank_claims(Paper& paper, Scale scale) {
  TrainedClaims on_resnet(paper, resnet20(scale));
  on_resnet.add("rank-two", "Table 3: rank 2 loses nothing on images",
                {kRankTwo, kRankTwoAtSgdsRate, kSgd}, [](const Rows& rows, const Setting& s) {
                  auto finding = no_loss(rows, s, kRankTwo, kSgd);
                  finding.measured += "; " + no_loss(rows, s, kRankTwoAtSgdsRate, kSgd).measured;
                  return finding;
                });

  TrainedClaims on_lenet(paper, lenet(scale));
  on_lenet.add("rank-one", "Table 3: rank 1 loses a little on images", {kRankOne, kRankTwo, kSgd},
               [resnet = resnet20(scale)](const Rows& rows, const Setting& s) {
                 auto finding = is_below(rows, s, kRankOne, kRankTwo, 0);
                 finding.measured += "; " + scores_text(rows, resnet, {kRankOne, kRankTwo, kSgd});
                 return finding;
               });
  for (const auto& method : {kRankOne, kRankTwo, kSgd}) {
    add_trained(paper, paper.claims.back(), resnet20(scale), method);
  }
  on_lenet.add(
      "rank-four", "Table 3: rank 4 gains nothing over rank 2 on images", {kRankTwo, kRankFour},
      [](const Rows& rows, const Setting& s) { return no_loss(rows, s, kRankTwo, kRankFour); });

  TrainedClaims on_lstm(paper, lstm(scale));
  on_lstm.add("rank-language", "Table 3: rank 4 loses nothing on the language model",
              {kTextRankFour, kTextSgd}, [](const Rows& rows, const Setting& s) {
                return no_loss(rows, s, kTextRankFour, kTextSgd);
              });
  on_lstm.add("rank-language-one", "Table 3: rank 1 loses perplexity on the language model",
              {kTextRankOne, kTextSgd}, [](const Rows& rows, const Setting& s) {
                return is_below(rows, s, kTextRankOne, kTextSgd, 2);
              });
}

// Tables 1 and 2: PowerSGD without a part of it.
void add_ablations(Paper& paper, Scale scale) {
  TrainedClaims on_lenet(paper, lenet(scale));
  on_lenet.add("feedback", "Table 1: unbiased low rank is far below error feedback",
               {kUnbiased, kRankTwo, kSgd}, [](const Rows& rows, const Setting& s) {
                 return is_below(rows, s, kUnbiased, kRankTwo, 5);
               });
  on_lenet.add("no-feedback", "appendix: without error feedback accuracy is not acceptable",
               {kNoFeedback, kRankTwo}, [](const Rows& rows, const Setting& s) {
                 return is_below(rows, s, kNoFeedback, kRankTwo, 1);
               });
  on_lenet.add(
      "warm-start", "Table 2: without a warm start accuracy is lost (a few tenths in the paper)",
      {kCold, kRankTwo},
      [](const Rows& rows, const Setting& s) { return is_below(rows, s, kCold, kRankTwo, 0); });
  on_lenet.add("best-approximation",
               "Table 2: the best rank-2 approximation of the mean is no better than a warm start",
               {kRankTwo, kBest}, [](const Rows& rows, const Setting& s) {
                 return no_loss(rows, s, kRankTwo, kBest);
               });
}

// Table 4: operators with as many bytes as PowerSGD.
void add_operator_claims(Paper& paper, Scale scale) {
  TrainedClaims on_lenet(paper, lenet(scale));
  on_lenet.add(
      "medium", "Table 4, rank 7 (32× in the paper): all operators but random blocks come near SGD",
      {kSgd, kRankSeven, random_k(7), kSign, top_k(7), random_block(7)},
      [](const Rows& rows, const Setting& s) {
        return all_of({no_loss(rows, s, kRankSeven, kSgd), no_loss(rows, s, random_k(7), kSgd),
                       no_loss(rows, s, kSign, kSgd), no_loss(rows, s, top_k(7), kSgd),
                       is_below(rows, s, random_block(7), kSgd, 1)});
      });
  on_lenet.add("high",
               "Table 4, rank 2 (128× in the paper): all other operators stay below PowerSGD",
               {kRankTwo, top_k(2), random_k(2), random_block(2), kSgd},
               [](const Rows& rows, const Setting& s) {
                 return all_of({is_below(rows, s, top_k(2), kRankTwo, 0),
                                is_below(rows, s, random_k(2), kRankTwo, 0),
                                is_below(rows, s, random_block(2), kRankTwo, 0)});
               });
  on_lenet.add(
      "high-order", "Table 4, rank 2: PowerSGD, top-k, random-k, random blocks, in this order",
      {kRankTwo, top_k(2), random_k(2), random_block(2)}, [](const Rows& rows, const Setting& s) {
        return all_of({is_below(rows, s, top_k(2), kRankTwo, 0),
                       is_below(rows, s, random_k(2), top_k(2), 0),
                       is_below(rows, s, random_block(2), random_k(2), 0)});
      });
}

void add_atomo(Paper& paper, Scale scale) {
  TrainedClaims on_lenet(paper, lenet(scale));
  on_lenet.add("atomo",
               "Table 6: ATOMO is below PowerSGD at equal rank and takes a multiple of the time",
               {kAtomo, kRankTwo}, [](const Rows& rows, const Setting& s) {
                 const double ratio = atomo_encoding_ratio(rows);
                 return all_of(
                     {is_below(rows, s, kAtomo, kRankTwo, 0),
                      {.verdict = ratio > 3 ? Verdict::holds : Verdict::fails,
                       .measured = fmt::format(
                           "encoding of ResNet-18 by atomo:rank=2 takes {:.1f} times as long as by "
                           "powersgd:rank=2",
                           ratio)}});
               });
  paper.experiments.push_back(atomo_times(scale));
  paper.claims.back().experiments.push_back(paper.experiments.back().name);
}

// Tables 6 and 7: votes with momentum.
void add_signum_comparisons(Paper& paper, Scale scale) {
  TrainedClaims on_resnet(paper, resnet20(scale));
  on_resnet.add(
      "signum-images", "Table 6: Signum is below PowerSGD on images", {kVote, kRankTwo, kSgd},
      [](const Rows& rows, const Setting& s) { return is_below(rows, s, kVote, kRankTwo, 0); });
  TrainedClaims on_lstm(paper, lstm(scale));
  on_lstm.add("signum-language", "Table 7: Signum is far from SGD's perplexity",
              {kTextVote, kTextSgd}, [](const Rows& rows, const Setting& s) {
                return is_below(rows, s, kTextVote, kTextSgd, 20);
              });
}

void add_clipping(Paper& paper, Scale scale) {
  TrainedClaims on_lstm(paper, lstm(scale));
  on_lstm.add("clipping", "gradients may be clipped by each worker before compression",
              {kTextRankFour, kTextClippedMean}, [](const Rows& rows, const Setting& s) {
                return no_loss(rows, s, kTextRankFour, kTextClippedMean);
              });
}

void add_residual(Paper& paper, Scale scale) {
  paper.experiments.push_back(residual_kinds(scale));
  paper.claims.push_back(
      {.name = "residual",
       .claimed = "both kinds of residual give one trajectory, and the averaged one drifts as a "
                  "random walk",
       .experiments = {paper.experiments.back().name},
       .decide = residuals_drift,
       .draw = draw_residuals});
}

}  // namespace

Paper powersgd(Scale scale) {
  Paper paper{
      .number = "1905.13727",
      .title = "PowerSGD: Practical Low-Rank Gradient Compression",
      .symbols =
          "lenet and resnet20 are the models N and R of the table. sgd and none do not compress; "
          "powersgd-2, powersgd:rank=2+ef with all its options, is PowerSGD of rank 2 with error "
          "feedback and a warm start (at-sgds-rate: at sgd's learning rate instead of its own; "
          "cold: without a warm start; unbiased: random factors without feedback; best: the best "
          "approximation of the mean gradient). top-k-2, random-k-2 and random-block-2 send as "
          "many bytes as rank 2; sign is signSGD with error feedback, vote is Signum, and atomo-2 "
          "is ATOMO of rank 2. The LSTM of `bytes` is the paper's, lstm is the model L. Coding is "
          "encoding and decoding, measured with all workers in one process, whose memory exceeds "
          "the caches when they are many. Times are those of ResNet-18. W is the number of "
          "workers, e the residual of error feedback after t steps: each worker's own (local), or "
          "that of the mean (averaged).",
      .claims = {},
      .experiments = {}};
  add_bytes(paper);
  add_rank_claims(paper, scale);
  add_ablations(paper, scale);
  add_operator_claims(paper, scale);
  paper.claims.push_back(same_rates(scale));
  add_time_claims(paper, scale);
  add_atomo(paper, scale);
  add_signum_comparisons(paper, scale);
  add_clipping(paper, scale);
  add_residual(paper, scale);
  return paper;
}

}  // namespace terse::paper
