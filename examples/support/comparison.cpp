#include "examples/support/comparison.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/support/progress.hpp"

namespace terse::run {
namespace {

double bytes_per_step(const RunResult& r) {
  return r.bytes_sent_per_worker / static_cast<double>(r.steps);
}

// How many times fewer bytes; 1 where nothing is sent (one worker, topology local).
double times_smaller(const RunResult& r) {
  return r.bytes_sent_per_worker > 0 ? r.bytes_uncompressed / r.bytes_sent_per_worker : 1;
}

double milliseconds(const RunResult& r, Phase phase) {
  return 1e3 * r.step_times[phase];
}

double milliseconds(const RunResult& r) {
  double sum = 0;
  for (const double seconds : r.step_times.seconds) sum += 1e3 * seconds;
  return sum;
}

}  // namespace

std::string table_text(const std::vector<ComparedRun>& runs) {
  std::string text =
      fmt::format("{:<24}{:>8}{:>7}{:>10}{:>8} |{:>8}{:>7}{:>7}{:>7}{:>7} |{:>8}\n", "", "test",
                  "train", "sent by", "times", "", "", "ms per", "step", "", "images");
  text += fmt::format("{:<24}{:>8}{:>7}{:>10}{:>8} |{:>8}{:>7}{:>7}{:>7}{:>7} |{:>8}\n", "method",
                      "accuracy", "loss", "worker", "smaller", "compute", "encode", "exch.",
                      "decode", "update", "/s");
  text += std::string(57, '-') + "-+" + std::string(36, '-') + "-+" + std::string(8, '-') + "\n";
  for (const auto& [config, r] : runs) {
    text += fmt::format("{:<24}{:>6.2f} %{:>7.3f}{:>10}{:>7.1f}x |", config.compressor,
                        100 * r.evaluations.back().test_accuracy, r.train_loss,
                        bytes_text(bytes_per_step(r)), times_smaller(r));
    for (const double seconds : r.step_times.seconds)
      text += fmt::format("{:>7.2f}", 1e3 * seconds);
    text += fmt::format("  |{:>8}\n", thousands_text(r.samples_per_second));
  }
  return text;
}

std::string to_csv(const std::vector<ComparedRun>& runs) {
  std::string text =
      "method,optimizer,lr,test_accuracy,train_loss,steps,message_bytes,bytes_sent_per_worker_step,"
      "times_smaller,compute_ms,encode_ms,exchange_ms,decode_ms,update_ms,step_ms,"
      "images_per_second,seconds\n";
  for (const auto& [config, r] : runs) {
    text +=
        fmt::format("\"{}\",\"{}\",{},{:.6f},{:.6f},{},{},{:.3f},{:.4f}", config.compressor,
                    config.optimizer, config.lr.value_or(0), r.evaluations.back().test_accuracy,
                    r.train_loss, r.steps, r.message_bytes, bytes_per_step(r), times_smaller(r));
    for (const Phase phase :
         {Phase::compute, Phase::encode, Phase::exchange, Phase::decode, Phase::update}) {
      text += fmt::format(",{:.4f}", milliseconds(r, phase));
    }
    text +=
        fmt::format(",{:.4f},{:.1f},{:.2f}\n", milliseconds(r), r.samples_per_second, r.seconds);
  }
  return text;
}

nlohmann::json to_json(const std::vector<ComparedRun>& runs) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [config, result] : runs) {
    auto entry = to_json(result, config);
    entry["method"] = config.compressor;
    entry["times_smaller"] = times_smaller(result);
    list.push_back(std::move(entry));
  }
  return {{"runs", std::move(list)}};
}

}  // namespace terse::run
