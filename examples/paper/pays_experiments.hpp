// The time of a training step of R and L in modelled networks, by method, workers and bandwidth.
//
//   step(W)   compute / W + exchange
//   compute   forward and backward of the global batch on one thread of this CPU, of a real run;
//             W workers share the batch, and each has at least one sample
//   exchange  as in exchange_time.hpp: coding on this CPU, and the network: after backward, or in
//             five buckets that overlap with backward, whichever is faster. A method that needs all
//             tensors at once has no buckets. Coding does not overlap: it needs the processor
//
// Five buckets, because four are one on L: a bucket ends with the tensor that makes it a quarter of
// the model, and the tied embedding, which is complete last, follows after 22 % of it.
// The processor of an update is left out. All latencies are 20 us.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// 10 Mbit/s … 100 Gbit/s, two a decade. Quick: three of them.
std::vector<double> bandwidths(Scale scale);  // bits per second
// 2 … 64, at most as many as the batch has samples. Quick: two of them.
std::vector<std::int64_t> worker_counts(const Setting& setting, Scale scale);
std::int64_t global_batch(const Setting& setting);

// {compute, methods: [{name, workers, coding, network: [seconds by bandwidth]}]}; `network` is the
// part that compute does not hide.
Experiment step_times_of(const Setting& setting, const std::vector<Method>& methods, Scale scale);
std::string step_times_row(const Setting& setting);

// The seconds of a step from the row of step_times_of.
double step_seconds(const nlohmann::json& row, const std::string& method, std::int64_t workers,
                    std::size_t bandwidth);

}  // namespace terse::paper
