#include "examples/whatif/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <utility>

#include "examples/run/exchange.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"

namespace terse::run {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

// Views of the recorded tensors over `values`.
std::vector<GradView> views_of_records(const Records& records, std::span<float> values) {
  std::vector<GradView> views;
  for (const auto& tensor : records.tensors) {
    const auto n = static_cast<std::size_t>(tensor.numel());
    views.push_back({.id = tensor.id,
                     .rows = tensor.rows,
                     .cols = tensor.cols,
                     .kernel = tensor.kernel,
                     .data = values.first(n)});
    values = values.subspan(n);
  }
  return views;
}

int sign_of(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

// The mean of the values that are defined.
template <class Values, class Of>
double mean_of(const Values& values, const Of& of) {
  double sum = 0;
  int count = 0;
  for (const auto& value : values) {
    const double x = of(value);
    if (std::isnan(x)) continue;
    sum += x;
    ++count;
  }
  return count > 0 ? sum / count : kUndefined;
}

}  // namespace

RecordedGradients read_gradients(const std::filesystem::path& run, const Records& records,
                                 const RecordedStep& step) {
  RecordedGradients gradients{.step = step, .workers = {}, .mean = {}};
  for (const auto& worker : step.workers) {
    auto& values = gradients.workers.emplace_back();
    for (const auto& tensor : records.tensors) {
      const auto part = read_recorded(run, step, worker.worker, tensor);
      values.insert(values.end(), part.begin(), part.end());
    }
    gradients.mean.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      gradients.mean[i] += static_cast<double>(values[i]);
    }
  }
  for (auto& value : gradients.mean) value /= static_cast<double>(step.workers.size());
  return gradients;
}

TakePacket packet_writer(const std::filesystem::path& folder, const std::string& method) {
  return [to = folder / method](std::int64_t step, int worker, int bucket, const Packet& packet) {
    const OutputFolder place(recorded_folder(to, step, worker));
    write_file(place.path() / packet_file(packet.header().phase, bucket), [&](std::ostream& out) {
      const auto bytes = packet.bytes();
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
    });
  };
}

Replay::Replay(const Records& records, std::string method, TakePacket take_packet)
    : records_(records), method_(std::move(method)), take_packet_(std::move(take_packet)) {
  make_compressor(method_);
  cut_into_buckets();
}

void Replay::cut_into_buckets() {
  std::int64_t end = -1;
  for (std::size_t t = 0; t < records_.tensors.size(); ++t) {
    const auto& tensor = records_.tensors[t];
    if (tensor.first != end) buckets_.push_back({.tensor = t, .first = tensor.first});
    ++buckets_.back().tensors;
    buckets_.back().count += tensor.numel();
    values_ += tensor.numel();
    end = tensor.first + tensor.numel();
  }
}

Replay::ReplayedWorker& Replay::worker(int number) {
  auto& worker = workers_[number];
  if (!worker.compressor) worker.compressor = worker.energy.make(method_);
  return worker;
}

void Replay::check_whole(const Traits& traits) const {
  check<UsageError>(!traits.whole_model || values_ == records_.values,
                    "--method {}: it needs the gradient of the whole model; {} of {} values are "
                    "recorded; record all tensors, or leave the method out",
                    method_, values_, records_.values);
}

void Replay::run(const RecordedGradients& gradients) {
  const auto& step = gradients.step;
  ReplayedStep result{.step = step.step};
  // Local steps begin with new compressors, as in the run.
  if (std::exchange(differences_, step.differences) != step.differences) workers_.clear();
  check_whole(worker(step.workers.front().worker).compressor->traits(step.round));
  std::vector<float> decoded(static_cast<std::size_t>(values_));
  std::size_t at = 0;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    const auto n = static_cast<std::size_t>(buckets_[b].count);
    exchange(gradients, buckets_[b], buckets_.size() == 1 ? -1 : static_cast<int>(b),
             std::span(decoded).subspan(at, n), result);
    at += n;
  }
  result.packet_bytes /= static_cast<double>(step.workers.size());
  measure(gradients, decoded, result);
  steps_.push_back(result);
}

void Replay::exchange(const RecordedGradients& gradients, const Bucket& bucket, int number,
                      std::span<float> decoded, ReplayedStep& result) {
  const auto& step = gradients.step;
  std::vector<std::vector<float>> values = gradients.workers;  // encode takes writable views
  std::vector<GradView> out;
  const auto views_of_bucket = [&](std::span<float> all) {
    const auto views = views_of_records(records_, all);
    return std::vector<GradView>(views.begin() + bucket.tensor,
                                 views.begin() + bucket.tensor + bucket.tensors);
  };
  lay_out(views_of_bucket(values.front()), decoded, out);
  auto& first = *worker(step.workers.front().worker).compressor;
  const auto traits = first.traits(step.round);
  for (int phase = 0; phase < traits.phases; ++phase) {
    const auto round_of = [&](const RecordedWorker& of) {
      return Round{.seed = records_.seed,
                   .step = step.round,
                   .worker = static_cast<std::uint32_t>(of.rank),
                   .workers = static_cast<std::uint32_t>(step.workers.size()),
                   .phase = phase,
                   .lr = of.lr,
                   .first = bucket.first,
                   .count = bucket.count};
    };
    std::vector<Packet> up(step.workers.size());
    for (std::size_t w = 0; w < up.size(); ++w) {
      const auto& each = step.workers[w];
      worker(each.worker).compressor->encode(round_of(each), views_of_bucket(values[w]), up[w]);
      result.packet_bytes += static_cast<double>(up[w].payload().size());
      up[w].seal();
      if (take_packet_) take_packet_(step.step, each.worker, number, up[w]);
    }
    const auto down = down_packet(first, round_of(step.workers.front()), out, up);
    for (const auto& each : step.workers) {
      decode_to(out, *worker(each.worker).compressor, round_of(each), down);
    }
  }
}

double Replay::residual_of(ReplayedWorker& worker) const {
  std::vector<float> kept(static_cast<std::size_t>(values_));
  if (!worker.energy.copy_residual(views_of_records(records_, kept))) return kUndefined;
  double squares = 0;
  for (const double value : kept) squares += value * value;
  return std::sqrt(squares);
}

void Replay::measure(const RecordedGradients& gradients, std::span<const float> decoded,
                     ReplayedStep& result) {
  double error = 0, own = 0, whole = 0, product = 0, equal = 0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto x = static_cast<double>(decoded[i]), mean = gradients.mean[i];
    error += (x - mean) * (x - mean);
    own += x * x;
    whole += mean * mean;
    product += x * mean;
    equal += sign_of(x) == sign_of(mean) ? 1 : 0;
  }
  const auto& step = gradients.step;
  const bool scale_free =
      worker(step.workers.front().worker).compressor->traits(step.round).scale_free;
  result.relative_error = whole > 0 && !scale_free ? error / whole : kUndefined;
  result.cosine = own > 0 && whole > 0 ? product / std::sqrt(own * whole) : kUndefined;
  result.sign_agreement = equal / static_cast<double>(decoded.size());
  std::vector<Energy> energies;
  std::vector<double> residuals;
  for (const auto& each : step.workers) {
    residuals.push_back(residual_of(worker(each.worker)));
    const auto energy = worker(each.worker).energy.take();
    if (energy && !scale_free) energies.push_back(*energy);
  }
  result.energy = {.kept = mean_of(energies, [](const Energy& e) { return e.kept; }),
                   .top_k = mean_of(energies, [](const Energy& e) { return e.top_k; }),
                   .svd = mean_of(energies, [](const Energy& e) { return e.svd; })};
  result.residual = mean_of(residuals, [](double norm) { return norm; });
}

ReplayedStep Replay::mean() const {
  using Step = ReplayedStep;
  return {.step = steps_.back().step,
          .packet_bytes = mean_of(steps_, [](const Step& s) { return s.packet_bytes; }),
          .relative_error = mean_of(steps_, [](const Step& s) { return s.relative_error; }),
          .cosine = mean_of(steps_, [](const Step& s) { return s.cosine; }),
          .sign_agreement = mean_of(steps_, [](const Step& s) { return s.sign_agreement; }),
          .energy = {.kept = mean_of(steps_, [](const Step& s) { return s.energy.kept; }),
                     .top_k = mean_of(steps_, [](const Step& s) { return s.energy.top_k; }),
                     .svd = mean_of(steps_, [](const Step& s) { return s.energy.svd; })},
          .residual = steps_.back().residual};
}

}  // namespace terse::run
