#include "examples/run/account.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/core/archive.hpp"

namespace terse::run {

void add_up(std::span<const std::uint64_t> accounts, RunResult& r) {
  const std::size_t count = accounts.size() / kAccountWords;
  const auto workers = static_cast<double>(count);
  std::uint64_t sent = 0, uncompressed = 0;
  HashArchive hash;
  for (; !accounts.empty(); accounts = accounts.subspan(kAccountWords)) {
    AccountWords words;
    std::ranges::copy(accounts.first(kAccountWords), words.begin());
    auto account = std::bit_cast<Account>(words);
    r.bytes_sent.push_back(account.bytes_sent);
    sent += account.bytes_sent;
    uncompressed += account.bytes_uncompressed;
    r.skipped_steps = std::max(r.skipped_steps, static_cast<std::int64_t>(account.skipped_steps));
    for (std::size_t i = 0; i < kParts; ++i) {
      r.step_times.seconds[i] += account.step_times.seconds[i] / workers;
      r.virtual_step_times.seconds[i] += account.virtual_step_times.seconds[i] / workers;
    }
    r.hidden_seconds += account.hidden_seconds / workers;
    if (account.virtual_seconds != Account::kNoTime) {
      r.virtual_seconds = std::max(r.virtual_seconds.value_or(0), account.virtual_seconds);
    }
    hash.item("worker", account.state_hash);
  }
  r.bytes_sent_per_worker = static_cast<double>(sent) / workers;
  r.bytes_uncompressed = static_cast<double>(uncompressed) / workers;
  r.state_hash = hash.hash();
}

void add_final_model(ParameterBuffer& parameters, RunResult& r) {
  HashArchive model;
  model.item("parameters", parameters.values());
  r.model_hash = model.hash();
  r.parameters = parameters.numel();
  r.finite = std::isfinite(r.evaluations.back().test_loss) &&
             find_non_finite(grad_views(parameters, parameters.values())).count == 0;
}

}  // namespace terse::run
