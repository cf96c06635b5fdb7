// Topologies: how the workers' packets meet.
//
// In each phase of a step every worker encodes its gradients into a packet, the packets are
// exchanged, and every worker decodes the answer. The compressor's Traits choose the exchange:
//
//   linear      all-reduce of the payload's floats
//   sliceable   all-to-all of slices of 32-aligned coordinates, each combined by its owner, and an
//               all-gather of the answers
//   otherwise   gather: the packets are combined together
//
// A linear compressor that sends the gradients as they are needs no packet where the workers share
// memory: the mean is made where it shall lie.
//
// The topology chooses who adds, owns and combines. With W workers, S servers, `up` the payload of
// a worker's packet and `down` that of the answer, a worker sends in the mean, headers apart:
//
//             linear                    sliceable                 gather
//   local     nothing: the sequential reference, where packets change hands inside the process
//   ring      2 (W-1)/W · up            (W-1)/W · (up + down)     (W-1) · up
//   server    2 (W-1)/W · up            (W-1)/W · (up + down)     (W-1)/W · (up + down)
//
// Headers: ring 2 (W-1), 2 (W-1) and W-1 messages; server 2 S (W-1)/W in each case. (A slice or a
// shard that gets no coordinate is not sent, except in `linear`.)
//
// All add in the one order of collectives.hpp, so they give identical bits. Instead of its ring,
// the topology ring can all-reduce by a tree or by halving (all_reduce.hpp), which add in other
// orders; the bytes of all workers together stay the same.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tersegrad/comm/collectives/all_reduce.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/gradient_source.hpp"

namespace terse {

// One worker's part in the exchange. Make it with TopologyPlan::join.
class Topology {
 public:
  virtual ~Topology() = default;
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  using Use = FunctionRef<void(const GradientSource& mean)>;
  // Runs all phases of a step. `use` is called once with the mean gradient of all workers, as far
  // as the compressor keeps it. The mean may be read within the call only: some of it may lie in
  // the memory of other workers.
  //
  // `scratch` has the ids and shapes of `gradients`; what cannot be read block by block is written
  // there. It may be the gradients' own memory. Where workers share memory, uncompressed gradients
  // are added up in place: after the call the gradients are no longer this worker's own.
  //
  // round.first is the first coordinate of the gradients in the model; worker, workers, phase and
  // count are filled in here.
  void run(Compressor& compressor, const Round& round, std::span<const GradView> gradients,
           std::span<const GradView> scratch, Use use);

  // Payload bytes of this worker's packets in the last step: what the method needs to say.
  std::size_t message_bytes() const { return message_bytes_; }

 protected:
  // One phase of a step, as the topologies see it.
  struct Job {
    Compressor& compressor;
    Round round;
    Traits traits;
    std::span<const GradView> gradients, scratch;
  };

  explicit Topology(Worker& me);

  // The payload's floats become their sum over all workers.
  virtual void all_reduce(Packet& values) = 0;
  // values = their sum over all workers, divided by `divisor`, where workers share memory: without
  // packets. `use` reads the results where they lie. False: not over this topology, and nothing has
  // happened.
  virtual bool reduce_in_memory(std::span<float> values, float divisor, const Label& label,
                                Use use) = 0;
  // `up` is one's own packet, `down` becomes the answer, joined from its slices.
  virtual void combine_in_slices(const Job& job, Packet& up, Packet& down) = 0;
  // Encode, exchange and decode, in buckets if the topology likes.
  virtual void run_gather(const Job& job) = 0;

  // These measure their phase; `encode` also counts message_bytes.
  void encode(const Job& job, const Round& round, std::span<const GradView> views, Packet& up);
  // The packets of `shape`, or of a slice of the coordinates, which has no shape.
  void combine(const Job& job, const Round& round, std::span<const GradView> shape,
               std::span<const Packet> up, Packet& down);
  // The last phase decodes: what it decodes becomes the next part of the mean. `scratch`: the
  // bucket's part of the job's.
  void decode(const Job& job, const Round& round, const Packet& down,
              std::span<const GradView> scratch);

  Worker& me_;

 private:
  // A step of uncompressed gradients in shared memory; false: they need packets.
  bool run_in_memory(const Job& job, Use use);

  std::size_t message_bytes_ = 0;
  std::vector<float> weights_;  // of the mean: 1/W each
  Packet up_, down_;
  JoinedGradient mean_;  // of the last step, a part for each bucket that was decoded
};

enum class TopologyKind : std::uint8_t { local, ring, server };
std::string_view to_string(TopologyKind kind);
TopologyKind parse_topology(std::string_view name);  // UsageError lists the known ones

struct TopologyOptions {
  TopologyKind kind = TopologyKind::ring;
  int workers = 1;
  int servers = 1;                         // kind server: shards, on the workers of rank 0, 1, …
  AllReduce all_reduce = AllReduce::ring;  // kind ring: of linear packets
  LinkSpeed link = {};                     // all_reduce automatic: what to choose it for
};

struct LocalBoard;

// What a run will do, decided before its workers start; it must outlive them.
//
//   const TopologyPlan plan({.kind = TopologyKind::ring, .workers = 4}, *compressor);
//   run_workers({.workers = 4}, [&](Worker& me) { auto topology = plan.join(me); … });
class TopologyPlan {
 public:
  // UsageError, with the reason, for what cannot work.
  TopologyPlan(const TopologyOptions& options, const Compressor& compressor);

  const TopologyOptions& options() const { return options_; }
  std::unique_ptr<Topology> join(Worker& me) const;  // once by every worker
  // The same for those who are left of them, who have new ranks.
  std::unique_ptr<Topology> rejoin(Worker& me) const;

 private:
  std::unique_ptr<Topology> make(Worker& me) const;

  TopologyOptions options_;
  std::shared_ptr<LocalBoard> board_;  // kind local
};

}  // namespace terse
