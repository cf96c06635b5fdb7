#include "examples/train/same_run.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "examples/run/fingerprint.hpp"
#include "examples/run/version.hpp"
#include "examples/train/config_difference.hpp"
#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse::run {
namespace {

nlohmann::json description(const RunConfig& config) {
  auto json = to_json(config);
  json.erase("threads");
  json["version"] = program_version();
  json["packets"] = Packet::kMagicVersion;
  return json;
}

// "seed is 1 and 2".
std::string text_of(const std::optional<ConfigDifference>& difference) {
  if (!difference) return "the order of the values";
  const auto& [key, first, second] = *difference;
  return fmt::format("{} is {} and {}", key, json_text(first), json_text(second));
}

}  // namespace

void count_processes(const Worker& me, RunConfig& config) {
  const int workers = me.size() - (config.is_async() ? 1 : 0);
  check<UsageError>(workers > 0,
                    "--topology async with --transport mpi: expected at least 2 processes, "
                    "because one of them is the server; got {}; start more with mpirun -n N",
                    me.size());
  check<UsageError>(config.workers == 0 || config.workers == workers,
                    "--workers with --transport mpi: expected {}, the number of processes that "
                    "mpirun started{}; got {}; leave out --workers",
                    workers, config.is_async() ? ", without the server" : "", config.workers);
  config.workers = workers;
}

void check_same_run(Worker& me, const RunConfig& config) {
  const auto own = description(config);
  const std::string text = json_text(own);
  Fnv1a hash;
  hash.add("run", std::as_bytes(std::span(text)));
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(me.size()));
  Collectives(me).agree(hash.hash(), 0, hashes);
  int other = 0;
  while (other < me.size() && hashes[static_cast<std::size_t>(other)] == hashes.front()) ++other;
  if (other == me.size()) return;

  // The first two workers that differ find the key; the others wait for their error.
  if (me.rank() == 0) {
    me.send(other, {.kind = PacketKind::control}, std::as_bytes(std::span<const char>(text)));
  } else if (me.rank() == other) {
    const auto packet = me.recv(0, {.kind = PacketKind::control});
    const auto payload = packet.payload();
    const auto theirs = nlohmann::json::parse(
        std::string(reinterpret_cast<const char*>(payload.data()), payload.size()), nullptr, false);
    check<PacketError>(theirs.is_object(),
                       "configuration of worker 0: expected a JSON object; got {} bytes of other "
                       "data",
                       payload.size());
    const std::string their_isa = theirs.value("isa", ""), our_isa = own.value("isa", "");
    check(their_isa == our_isa,
          "workers 0 and {} run kernels of different instruction sets, {} and {}, "
          "which round differently; start all of them with the lower one by --isa",
          other, their_isa, our_isa);
    throw Error(
        fmt::format("workers 0 and {} have different configurations: {}; start all of them with "
                    "the same program and flags",
                    other, text_of(difference_of(theirs, own))));
  }
  me.barrier();
}

void check_same_checkpoint(Worker& me, const Checkpoint& checkpoint) {
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(me.size()));
  Collectives(me).agree(checkpoint.hash(), 0, hashes);
  const auto other = std::ranges::find_if(hashes, [&](auto hash) { return hash != hashes[0]; });
  check(other == hashes.end(),
        "workers 0 and {} have read different checkpoints; give all of them the same folder",
        other - hashes.begin());
}

void check_same_data(Worker& me, const Dataset& data) {
  const auto own = fingerprint(data);
  constexpr std::size_t kWords = std::tuple_size_v<Fingerprint>;
  std::vector<std::uint64_t> words(kWords * static_cast<std::size_t>(me.size()));
  Collectives(me).agree(own, 0, words);
  const auto of = [&](int worker) {
    return std::span(words).subspan(kWords * static_cast<std::size_t>(worker), kWords);
  };
  for (int other = 1; other < me.size(); ++other) {
    const auto first = of(0), theirs = of(other);
    if (std::ranges::equal(first, theirs)) continue;
    const bool same_sizes = first[0] == theirs[0] && first[1] == theirs[1];
    throw Error(fmt::format(
        "workers 0 and {} have read different data: worker 0 has {} training and {} test samples, "
        "the other {} and {}{}; give all of them the same files",
        other, first[0], first[1], theirs[0], theirs[1], same_sizes ? " with other contents" : ""));
  }
}

}  // namespace terse::run
