// The noise of a network's gradients while it trains: densities, signal-to-noise ratios, and the
// shape of the noise of single coordinates.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// One worker trains by the method, at its rate, with batches of 128. At the start and after every
// epoch one pass over the training set at constant parameters measures its gradients:
//   {seeds: [{epochs: [{epoch, density_mean, density_noise, snr_mean, snr_below, coordinates, right,
//     asymmetric, several_modes, skew}]}]}
// The last four are of those of 200 coordinates, `coordinates` in number, that are not constant: the
// share whose sign is right in more batches than it is wrong, the shares that fail the tests of
// shape_tests.hpp at 5 %, and the mean of |mean - median| / deviation.
Experiment gradient_noise(const Setting& setting, const Method& method = kSgd);
std::string noise_of(const Setting& setting);  // its name

// epoch[key] at every epoch of such a row, means over the seeds.
std::vector<double> epoch_means(const nlohmann::json& row, const char* key);

// reduce(values of the epochs) of every seed of such a row.
template <class Reduce>
std::vector<double> over_epochs(const nlohmann::json& row, const char* key, Reduce reduce) {
  return by_seed(row, [&](const nlohmann::json& seed) {
    std::vector<double> values;
    for (const auto& epoch : seed.at("epochs")) values.push_back(epoch.at(key));
    return static_cast<double>(reduce(values));
  });
}

}  // namespace terse::paper
