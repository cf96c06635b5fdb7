// Runs of the trainer as experiments: settings, methods, and the rates that are chosen for them.
//
//   tuned(setting, method)     three rates around the method's, and up to two more while the best is
//                              at an end of them, judged by the validation split:
//                              {rates, scores, best}
//   swept(setting, method)     the same for twelve rates from 2^-13 to 1/4, equal for all methods
//   trained(setting, method)   the whole length at the best rate of `tuned`, for every seed, judged
//                              by the test split: {lr, seeds: [{score, loss, train_loss, curve, …}]}
//
// A score is percent correct, or a perplexity. A run that diverges has the score of a model that
// guesses.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/run/config.hpp"

namespace terse::paper {

// A model, its data, workers and length. See "The models" in docs/papers/README.md.
struct Setting {
  std::string name;
  run::RunConfig config;
  double seconds = 0;  // of a run, an estimate
  double guess = 0;    // the score of a model that guesses
  bool lower_is_better = false;
  std::int64_t seeds = 1;
  std::vector<std::string> thrice = {};  // methods with three seeds, where the others have one
  std::int64_t tuning_epochs = 1;
  std::int64_t tuning_steps = 0;                      // 0: as many as the epochs have
  std::shared_ptr<const Setting> rates_of = nullptr;  // whose best rates it takes; none: its own
};
Setting perceptron(Scale scale);  // P
Setting lenet(Scale scale);       // N
Setting resnet20(Scale scale);    // R
Setting lstm(Scale scale);        // L
// A: an asynchronous server, whose workers are simulated with exponential durations. The names are
// async-4 and so on for the perceptron, and async-resnet20 for ResNet-20 with 16 workers.
Setting asynchronous(Scale scale, int workers);
Setting asynchronous_resnet20(Scale scale);

// A partition: each batch, or each worker, has classes 0-4 or 5-9.
inline constexpr const char* kHalvesOfClasses = "by-class:0-4/5-9";

// Loads the data, for the runs that follow. Throws Error if it cannot be loaded.
void load(const std::string& data);

struct Method {
  std::string name;  // of its rows
  std::string compressor = "none";
  std::string optimizer = "sgd";
  double rate = 0;   // the middle of three candidates: half of it, it, and twice it
  int revision = 1;  // raised by hand when the results of the method change
  std::string server_rule = "vanilla";              // of an asynchronous server
  std::shared_ptr<const Method> rate_of = nullptr;  // whose best rate it takes; none: its own
};

// Whatever changes the result of a run, without its rate and seed.
nlohmann::json configuration_of(const Setting& setting, const Method& method);
// The configuration of another experiment that trains, with the revision of the trainer. The first
// revision is left out, so that rows that were stored without one stay valid.
nlohmann::json with_trainer_revision(nlohmann::json configuration);
// One run: {score, loss, train_loss, steps, message_bytes, model_hash, curve, …}, or {score, loss,
// failure} if it diverged. All numbers are finite.
nlohmann::json run_once(const Setting& setting, const Method& method, double rate,
                        std::uint64_t seed);
// One run with each rate, judged by the validation split, and with at most `further` rates beyond
// the best one, by factors of two, while it is the first or the last: {rates, scores, best}.
nlohmann::json validated(Setting setting, const Method& method, const std::vector<double>& rates,
                         int further = 0);

Experiment tuned(const Setting& setting, const Method& method);
Experiment swept(const Setting& setting, const Method& method);
Experiment trained(const Setting& setting, const Method& method);

std::string tuning_of(const Setting& setting, const Method& method);  // names of these rows
std::string sweep_of(const Setting& setting, const Method& method);
std::string row_of(const Setting& setting, const Method& method);

}  // namespace terse::paper
