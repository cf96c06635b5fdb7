// Histograms of the noise of single coordinates of a network's gradient, at the start of training
// and at its end.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "examples/paper/claim.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// One worker trains by the method as in noise_experiments.hpp, with seed 1. Of 200 coordinates those
// are chosen whose statistics of shape_tests.hpp, |asymmetry| and dip, are the smallest, the median
// and the largest:
//   {samples, low, high, epochs: [{epoch, asymmetry: [{statistic, counts, beside}], dip: likewise}]}
// `counts` has the noise in bins from low to high, in standard deviations. `beside` counts, in the
// same bins, the gradients of this coordinate at the same parameters with batches of the partition
// `beside`, if one is given.
Experiment noise_histograms(const Setting& setting, const Method& method,
                            const std::string& beside = {});
std::string histograms_of(const Setting& setting);  // its name

// A chart for the start and one for the end: the three coordinates by `statistic`, and a normal
// density.
Charts histogram_charts(const nlohmann::json& row, const char* statistic);
// The same of the coordinate with the largest statistic, and the batches beside.
Charts histogram_charts_beside(const nlohmann::json& row, const char* statistic, const char* name,
                               const char* name_beside);

}  // namespace terse::paper
