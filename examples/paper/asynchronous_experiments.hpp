// Networks that an asynchronous server trains with stale gradients, dense or sparsified: the
// experiments of Candela et al. The numbers of workers, ratios and models are those of the table in
// docs/papers/README.md.
//
// W simulated workers push gradients of batches of 32 in virtual time, and the server takes plain
// steps with linear decay for one epoch. Top-k takes its share of each tensor.
#pragma once

#include <cstdint>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// What the workers of the perceptron push. Staleness lowers the best rate, so the candidates depend
// on the number of workers: 1, 4, 16 or 64.
Method dense_pushes(int workers);
Method top_10(int workers);  // percent, with memory (error feedback), like the next two
Method top_1(int workers);
Method top_01(int workers);
// With candidates for 16 workers, and for 16 or 64:
Method top_1_forgetful();  // without memory
Method random_1();         // random coordinates, with memory
Method damped_pushes();    // dense; the server divides the rate by the staleness

// The method with the candidates for ResNet-20.
Method resnet_pushes(Method method);

// 16 workers, evaluated every 100 pushes, with the best rates of asynchronous(scale, 16).
Setting followed(Scale scale);

// 16 workers and a server with NICs of 100 Mbit/s; a gradient takes 5 ms on average. A run is
// evaluated every 50 pushes. Pulls are whole models, or, with sparse pulls, the entries that have
// changed.
enum class Pulls : std::uint8_t { whole, sparse };
Setting slow_network(Scale scale, Pulls pulls);
Method slow_dense_pushes();
Method slow_top_1();

// Hashes of the trained models: {sgd, dense, all_entries}. SGD has no server; the other two have
// one worker, which pushes dense gradients, or by top-k with all entries.
Experiment one_worker(Scale scale);

// The methods of the next two: dense, top_10, top_1 and damped pushes. Their own rates do not count.
std::vector<Method> rate_methods();

// The largest stable rates, powers of two: doubled from 1/4 while it is stable, or halved until it
// is. A rate is stable if all gradients are finite and the validation loss at the end is at most
// nine tenths of log 10, the loss of a guess.
//   {workers, seeds: [{NAME: [exponent by workers]}]}
// These are exponents of two. They are between -8 and 3; -9 means that no rate was stable.
Experiment stable_rates(Scale scale);

// Runs at the best rate of dense pushes of one worker, judged by the test split:
//   {rate, workers, seeds: [{NAME: [{score, stable} by workers]}]}
Experiment fixed_rate(Scale scale);

// The best validation score over three rates for each momentum of the server's SGD:
//   {momenta, seeds: [{"1": [score…], "16": [score…]}]}, by the number of workers
Experiment server_momentum(Scale scale);

}  // namespace terse::paper
