#include "examples/support/same_run.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "comm/collectives.hpp"
#include "core/archive.hpp"
#include "core/error.hpp"
#include "examples/support/version.hpp"

namespace terse::run {
namespace {

nlohmann::json description(const RunConfig& config) {
  auto json = to_json(config);
  json.erase("threads");
  json["version"] = program_version();
  json["packets"] = Packet::kMagicVersion;
  return json;
}

// "seed is 1 and 2", for the first key with two values.
std::string first_difference(const nlohmann::json& a, const nlohmann::json& b) {
  const auto value = [](const nlohmann::json& json, const std::string& key) {
    const auto found = json.find(key);
    return found == json.end() ? nlohmann::json() : *found;
  };
  auto keys = a;
  keys.update(b);
  for (const auto& [key, ignored] : keys.items()) {
    const auto of_a = value(a, key), of_b = value(b, key);
    if (of_a != of_b) return fmt::format("{} is {} and {}", key, of_a.dump(), of_b.dump());
  }
  return "the order of their values";
}

}  // namespace

void check_same_run(Worker& me, const RunConfig& config) {
  const auto own = description(config);
  std::string text = own.dump();
  HashArchive hash;
  hash.bytes("run", std::as_writable_bytes(std::span(text)));
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(me.size()));
  Collectives(me).agree(hash.hash(), 0, hashes);
  int other = 0;
  while (other < me.size() && hashes[static_cast<std::size_t>(other)] == hashes.front()) ++other;
  if (other == me.size()) return;

  // The first two that differ find out in what; the others wait for their error.
  if (me.rank() == 0) {
    me.send(other, {.kind = PacketKind::control}, std::as_bytes(std::span<const char>(text)));
  } else if (me.rank() == other) {
    const auto packet = me.recv(0, {.kind = PacketKind::control});
    const auto said = packet.payload();
    const auto theirs = nlohmann::json::parse(
        std::string(reinterpret_cast<const char*>(said.data()), said.size()), nullptr, false);
    check<PacketError>(theirs.is_object(), "worker 0 sent a configuration that is none");
    const std::string their_isa = theirs.value("isa", ""), our_isa = own.value("isa", "");
    check(their_isa == our_isa,
          "workers 0 and {} run kernels of different instruction sets, {} and {}, which round "
          "differently; start them all with --isa and the lower one",
          other, their_isa, our_isa);
    throw Error(fmt::format("workers 0 and {} were told to do different things: {}", other,
                            first_difference(theirs, own)));
  }
  me.barrier();
}

}  // namespace terse::run
