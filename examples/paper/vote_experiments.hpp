// Networks that train by signs and votes: experiments of 1802.04434 (signs against Adam, batches) and
// of its sequel 1810.05291 (workers, traffic, Byzantine workers). The other runs are those of
// training_experiments.hpp in the settings below.
#pragma once

#include <cstdint>
#include <string>

#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// Adam with beta1 = beta2 = 0 and a negligible eps against signSGD, P, 100 steps at a constant rate
// of 2^-10: {differ, difference, parameters, score}, the number of parameters that differ and the
// largest difference. eps = 0 would be 0/0 where a gradient is zero; the rate is a power of two, so
// that rate · g is exact.
Experiment adam_limit(Scale scale);

// What a worker sends in a step without and with a vote, by the transport's counters, without
// headers: {none, vote}. Two steps of training; the bytes of a step do not depend on their number.
Experiment vote_traffic(const Setting& setting);
std::string traffic_of(const Setting& setting);  // its name

// The settings below have the best rates of the setting that they vary.

// N with one worker, for equal numbers of steps: signs of larger batches are right more often
// (1802.04434, theorem 1).
Setting with_batch(Scale scale, std::int64_t batch);
// N with batches of 8 for each worker, for equal numbers of steps (1810.05291, theorem 2).
Setting with_workers(Scale scale, std::int64_t workers);

// One epoch of seven workers, some of which are Byzantine (1810.05291, theorem 2): they send the
// opposite of their gradients, -100 times their gradients, which gives the same signs, or noise.
enum class Byzantine : std::uint8_t { inverted, scaled, random };
Setting with_byzantine(const Setting& setting, Scale scale, Byzantine kind, int count);
inline constexpr int kVotingWorkers = 7;

}  // namespace terse::paper
