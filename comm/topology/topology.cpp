#include "tersegrad/comm/topology/topology.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "tersegrad/comm/topology/topologies.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/name_table.hpp"

namespace terse {
namespace {

constexpr NameTable<TopologyKind, 3> kTopologies = {{{"local", TopologyKind::local},
                                                     {"ring", TopologyKind::ring},
                                                     {"server", TopologyKind::server}}};

// Changes the header of a packet whose payload has become the sum of all workers' payloads.
// Packet::start with the same size keeps the payload.
void label_as_sum(Packet& packet, int workers) {
  auto header = packet.header();
  header.kind = PacketKind::partial;
  header.contributors = static_cast<std::uint16_t>(workers);
  packet.start(header, packet.payload().size());
}

void check_own(const Compressor& compressor, const Round& round, const Packet& up) {
  const auto got = up.header();
  internal_check(got.kind == PacketKind::up && got.phase == round.phase &&
                     got.step == static_cast<std::uint32_t>(round.step) &&
                     got.worker == round.worker,
                 "{}: encode: expected a packet up of phase {}, step {}, worker {}; got a packet "
                 "{} of phase {}, step {}, worker {}",
                 compressor.spec(), round.phase, round.step, round.worker, to_string(got.kind),
                 got.phase, got.step, got.worker);
}

// The floats of all views if they are contiguous in memory, otherwise nullopt.
std::optional<std::span<float>> joined(std::span<const GradView> views) {
  std::span<float> all;
  for (const auto& view : views) {
    if (all.empty()) all = view.data.first(0);
    if (all.data() + all.size() != view.data.data()) return std::nullopt;
    all = {all.data(), all.size() + view.data.size()};
  }
  return all;
}

}  // namespace

std::string_view to_string(TopologyKind kind) {
  return name_in(kTopologies, kind);
}

TopologyKind parse_topology(std::string_view name) {
  return value_in(kTopologies, "topology", name);
}

// ---- one step -----------------------------------------------------------------------------------

Topology::Topology(Worker& me)
    : me_(me),
      weights_(static_cast<std::size_t>(me.size()), 1.0F / static_cast<float>(me.size())) {}

void Topology::run(Compressor& compressor, const Round& round, std::span<const GradView> gradients,
                   std::span<const GradView> scratch, Use use) {
  Job job{.compressor = compressor,
          .round = round,
          .traits = compressor.traits(round.step),
          .gradients = gradients,
          .scratch = scratch};
  job.round.worker = static_cast<std::uint32_t>(me_.rank());
  job.round.workers = static_cast<std::uint32_t>(me_.size());
  job.round.count = count(gradients);
  message_bytes_ = 0;
  mean_.clear();
  me_.begin_exchange();
  // Uncompressed gradients of workers that share memory need no packets.
  if (run_in_memory(job, use)) return me_.end_exchange();
  for (job.round.phase = 0; job.round.phase < job.traits.phases; ++job.round.phase) {
    if (job.traits.linear) {
      encode(job, job.round, gradients, up_);
      {
        const auto timed = me_.time(Part::exchange);
        all_reduce(up_);
        label_as_sum(up_, me_.size());
      }
      decode(job, job.round, up_, scratch);
    } else if (job.traits.sliceable) {
      encode(job, job.round, gradients, up_);
      {
        const auto timed = me_.time(Part::exchange);
        combine_in_slices(job, up_, down_);
      }
      decode(job, job.round, down_, scratch);
    } else {
      run_gather(job);
    }
  }
  {
    const auto timed = me_.time(Part::exchange);
    me_.flush();
    me_.end_exchange();
  }
  use(mean_);
}

bool Topology::run_in_memory(const Job& job, Use use) {
  if (!job.compressor.uncompressed() || !me_.shares_memory()) return false;
  const auto gradients = joined(job.gradients);
  if (!gradients) return false;
  const auto timed = me_.time(Part::exchange);
  if (!reduce_in_memory(*gradients, static_cast<float>(me_.size()), {.step = job.round.step},
                        use)) {
    return false;
  }
  message_bytes_ = gradients->size_bytes();
  return true;
}

void Topology::encode(const Job& job, const Round& round, std::span<const GradView> views,
                      Packet& up) {
  const auto timed = me_.time(Part::encode);
  job.compressor.encode(round, views, up);
  check_own(job.compressor, round, up);
  message_bytes_ += up.payload().size();
}

void Topology::combine(const Job& job, const Round& round, std::span<const GradView> shape,
                       std::span<const Packet> up, Packet& down) {
  const auto timed = me_.time(Part::decode);
  job.compressor.combine(round, shape, up, weights_, down);
  internal_check(down.header().kind == PacketKind::down,
                 "{}: combine: expected a packet down; got a packet {}", job.compressor.spec(),
                 to_string(down.header().kind));
}

void Topology::decode(const Job& job, const Round& round, const Packet& down,
                      std::span<const GradView> scratch) {
  const auto timed = me_.time(Part::decode);
  if (round.phase + 1 < job.traits.phases) return job.compressor.advance(round, down, scratch);
  mean_.add(job.compressor.decode(round, down, scratch), count(scratch));
}

// ---- the plan -----------------------------------------------------------------------------------

TopologyPlan::TopologyPlan(const TopologyOptions& options, const Compressor& compressor)
    : options_(options) {
  constexpr int kMostWorkers = 65535, kMostPhases = 255;  // limits of a packet's header fields
  const auto name = to_string(options.kind);
  check<UsageError>(options.workers >= 1 && options.workers <= kMostWorkers,
                    "workers: expected 1 to {}; got {}", kMostWorkers, options.workers);
  check<UsageError>(options.servers >= 1 && options.servers <= options.workers,
                    "servers: expected 1 to the number of workers, because each server is one of "
                    "them; got {} servers and {} workers",
                    options.servers, options.workers);
  check<UsageError>(options.kind == TopologyKind::server || options.servers == 1,
                    "servers: expected 1, or the topology server; got topology {} and {} servers",
                    name, options.servers);
  check<UsageError>(options.kind == TopologyKind::ring || options.all_reduce == AllReduce::ring,
                    "all-reduce {}: expected the topology ring, the only one with a choice of "
                    "all-reduce; got topology {}",
                    to_string(options.all_reduce), name);
  const auto phases = compressor.traits(0).phases;
  check<UsageError>(phases >= 1 && phases <= kMostPhases,
                    "{} over {}: expected 1 to {} phases; got {}", compressor.spec(), name,
                    kMostPhases, phases);
  if (options.kind == TopologyKind::local) {
    board_ = std::make_shared<LocalBoard>();
    board_->up.resize(static_cast<std::size_t>(options.workers));
  }
}

std::unique_ptr<Topology> TopologyPlan::join(Worker& me) const {
  check(me.size() == options_.workers, "topology {}: expected {} workers, as planned; got {}",
        to_string(options_.kind), options_.workers, me.size());
  return make(me);
}

std::unique_ptr<Topology> TopologyPlan::join_smaller(Worker& me) const {
  check(me.size() <= options_.workers,
        "topology {}: expected at most {} workers, as planned; got {}", to_string(options_.kind),
        options_.workers, me.size());
  return make(me);
}

std::unique_ptr<Topology> TopologyPlan::make(Worker& me) const {
  switch (options_.kind) {
    case TopologyKind::local:
      return make_local_topology(me, board_);
    case TopologyKind::ring:
      return make_ring_topology(me, options_.all_reduce, options_.link);
    case TopologyKind::server:
      return make_server_topology(me, std::min(options_.servers, me.size()));
  }
  throw InternalError("internal error: unknown topology");
}

}  // namespace terse
