#include "examples/run/measurements.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/core/archive.hpp"

namespace terse::run {

void add_up(std::span<const std::uint64_t> words_of_all, RunResult& r) {
  const std::size_t count = words_of_all.size() / kMeasurementWords;
  const auto workers = static_cast<double>(count);
  std::uint64_t sent = 0, payload = 0, uncompressed = 0;
  Fnv1a hash;
  for (; !words_of_all.empty(); words_of_all = words_of_all.subspan(kMeasurementWords)) {
    MeasurementWords words;
    std::ranges::copy(words_of_all.first(kMeasurementWords), words.begin());
    auto own = std::bit_cast<Measurements>(words);
    r.bytes_sent.push_back(own.bytes_sent);
    sent += own.bytes_sent;
    payload += own.payload_sent;
    uncompressed += own.bytes_uncompressed;
    r.skipped_steps = std::max(r.skipped_steps, static_cast<std::int64_t>(own.skipped_steps));
    for (std::size_t i = 0; i < kParts; ++i) {
      r.step_times.seconds[i] += own.step_times.seconds[i] / workers;
      r.virtual_step_times.seconds[i] += own.virtual_step_times.seconds[i] / workers;
    }
    r.hidden_seconds += own.hidden_seconds / workers;
    if (own.virtual_seconds != Measurements::kNoTime) {
      r.virtual_seconds = std::max(r.virtual_seconds.value_or(0), own.virtual_seconds);
    }
    hash.add("worker", std::as_bytes(std::span(&own.state_hash, 1)));
  }
  r.bytes_sent_per_worker = static_cast<double>(sent) / workers;
  r.payload_sent_per_worker = static_cast<double>(payload) / workers;
  r.bytes_uncompressed = static_cast<double>(uncompressed) / workers;
  r.state_hash = hash.hash();
}

void add_final_model(ParameterBuffer& parameters, RunResult& r) {
  HashArchive model;
  model.item("parameters", parameters.values());
  r.model_hash = model.hash();
  r.parameters = parameters.numel();
  r.finite = std::isfinite(r.evaluations.back().loss) &&
             find_non_finite(grad_views(parameters, parameters.values())).count == 0;
}

}  // namespace terse::run
