#include "examples/compare/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "examples/run/progress.hpp"

namespace terse::run {
namespace {

double bytes_per_step(const RunResult& r) {
  const auto sent = std::max<std::int64_t>(1, r.steps - r.skipped_steps);
  return r.bytes_sent_per_worker / static_cast<double>(sent);
}

// Bytes of `none` divided by bytes sent; 1 where nothing is sent (one worker, topology local).
double times_smaller(const RunResult& r) {
  return r.bytes_sent_per_worker > 0 ? r.bytes_uncompressed / r.bytes_sent_per_worker : 1;
}

// With a modelled network, virtual times are compared.
const PartTimes& times_of(const RunResult& r) {
  return r.virtual_seconds ? r.virtual_step_times : r.step_times;
}

// The time of a step: the sum of its parts without the overlap.
double step_milliseconds(const PartTimes& times, double hidden_seconds) {
  double sum = -1e3 * hidden_seconds;
  for (const double seconds : times.seconds) sum += 1e3 * seconds;
  return sum;
}

// At most four characters below 10 000: 0.03, 3.65, 12.3, 123.
std::string short_text(double value) {
  return number_text(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, 5);
}

// A value that is not finite becomes an empty cell.
std::string cell(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "";
}

// A quote within a cell is doubled (RFC 4180).
std::string quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '"');
  }
  return '"' + text + '"';
}

}  // namespace

const RunResult& first_result(const std::vector<ComparedRun>& runs) {
  return std::ranges::find(runs, "", &ComparedRun::failure)->result;
}

std::string table_text(const std::vector<ComparedRun>& runs) {
  constexpr std::size_t kName = 21;
  constexpr const char* kRow = "{:<21}{:>6}{:>6}{:>9}{:>7}{:>5}{:>5}{:>5}{:>5}{:>5}{:>6}\n";
  const auto& evaluation = first_result(runs).evaluations.back();
  const auto metric = evaluation.metric;
  const bool images = metric == Metric::accuracy;
  std::string text =
      fmt::format(kRow, "", images ? to_string(evaluation.split) : "perp-", "train", "sent by",
                  "times", "", "ms", "per", "step", "", sample_name(metric));
  text += fmt::format(kRow, "method", images ? "acc.%" : "lexity", "loss", "worker", "fewer",
                      "comp", "enc", "exch", "dec", "upd", "/s");
  text += std::string(80, '-') + "\n";
  for (const auto& [config, r, failure, folder] : runs) {
    if (!failure.empty()) {
      text += fmt::format("{:<21} {}\n", config.compressor, failure);
      continue;
    }
    const auto ms = [&times = times_of(r)](Part part) { return short_text(1e3 * times[part]); };
    const double samples_per_second =
        r.virtual_seconds ? r.samples_per_virtual_second : r.samples_per_second;
    // A long name is printed in a line of its own.
    const bool fits = config.compressor.size() <= kName;
    if (!fits) text += config.compressor + "\n";
    text += fmt::format(kRow, fits ? config.compressor : "",
                        number_text(r.evaluations.back().score(), 2, 6),
                        number_text(r.train_loss, 3, 5), bytes_text(bytes_per_step(r)),
                        fmt::format("{:.1f}x", times_smaller(r)), ms(Part::compute),
                        ms(Part::encode), ms(Part::exchange), ms(Part::decode), ms(Part::update),
                        number_text(samples_per_second, 0, 6));
  }
  text += "sent by worker: bytes per step, including headers and forwarding\n";
  if (!images) text += fmt::format("perplexity: of the {} text\n", split_text(evaluation.split));
  for (const auto& [config, r, failure, folder] : runs) {
    if (r.skipped_steps == 0) continue;
    text += fmt::format("{}: skipped {} of {} steps, because a gradient was infinite or NaN\n",
                        config.compressor, r.skipped_steps, r.steps);
  }
  if (bucket_bytes(runs.front().config) > 0) {
    text += "part of enc, exch and dec that is hidden behind comp, by row:";
    for (const auto& run : runs) {
      if (run.failure.empty()) text += ' ' + short_text(1e3 * run.result.hidden_seconds);
    }
    text += " ms\n";
  }
  if (const auto& c = runs.front().config; c.network) {
    text += fmt::format("times: virtual, in the modelled network {}; local work {}\n", *c.network,
                        c.compute ? "declared: " + *c.compute : "measured");
  }
  return text;
}

std::string to_csv(const std::vector<ComparedRun>& runs) {
  const auto split = first_result(runs).evaluations.back().split;
  std::string text = fmt::format(
      "method,optimizer,lr,{},{},train_loss,steps,skipped_steps,message_bytes,"
      "bytes_sent_per_worker_step,"
      "times_smaller,compute_ms,encode_ms,exchange_ms,decode_ms,update_ms,step_ms,"
      "samples_per_second,seconds,virtual_seconds,virtual_step_ms,failure\n",
      accuracy_key(split), loss_key(split));
  for (const auto& [config, r, failure, folder] : runs) {
    if (!failure.empty()) {
      text += fmt::format("{},{},{}{}{}\n", quoted(config.compressor), quoted(config.optimizer),
                          config.lr.value_or(0), std::string(19, ','), quoted(failure));
      continue;
    }
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}", quoted(config.compressor),
                        quoted(config.optimizer), config.lr.value_or(0),
                        cell(r.evaluations.back().accuracy, 6), cell(r.evaluations.back().loss, 6),
                        cell(r.train_loss, 6), r.steps, r.skipped_steps, r.message_bytes,
                        cell(bytes_per_step(r), 3), cell(times_smaller(r), 4));
    for (const Part part :
         {Part::compute, Part::encode, Part::exchange, Part::decode, Part::update}) {
      text += fmt::format(",{:.4f}", 1e3 * r.step_times[part]);
    }
    text += fmt::format(",{:.4f},{:.1f},{:.2f}",
                        step_milliseconds(r.step_times, r.virtual_seconds ? 0 : r.hidden_seconds),
                        r.samples_per_second, r.seconds);
    text += r.virtual_seconds
                ? fmt::format(",{},{:.4f},\n", *r.virtual_seconds,
                              step_milliseconds(r.virtual_step_times, r.hidden_seconds))
                : ",,,\n";
  }
  return text;
}

nlohmann::json to_json(const std::vector<ComparedRun>& runs) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [config, result, failure, folder] : runs) {
    nlohmann::json entry;
    if (failure.empty()) {
      entry = to_json(result, config);
      entry["times_smaller"] = times_smaller(result);
    } else {
      entry["failure"] = failure;
    }
    entry["method"] = config.compressor;
    if (!folder.empty()) entry["folder"] = folder;
    list.push_back(std::move(entry));
  }
  return {{"runs", std::move(list)}};
}

}  // namespace terse::run
