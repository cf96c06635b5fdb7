// Topologies: how the workers exchange their packets.
//
// A step has the phases of its compressor (most have one, PowerSGD has P and Q). In each phase
// every worker encodes its gradients into an up packet. The up packets of all workers are combined
// into one down packet, which every worker decodes. A server, or the owner of a slice, sends its
// down packet to the others; in a ring gather every worker has all up packets and combines them
// itself. The compressor's Traits choose the exchange:
//
//   linear      all-reduce of the payload's floats
//   sliceable   all-to-all of slices of the coordinates, cut at multiples of 32; the owner of each
//               slice combines it; all-gather of the owners' down packets
//   otherwise   gather: all packets of the workers are combined together
//
// If the compressor is uncompressed() and the workers share memory, no packets are made: the
// gradients are added in place.
//
// The topology chooses the workers that add, own and combine. With W workers, S servers, `up` the
// payload of a worker's packet and `down` that of the down packet, a worker sends on average,
// without headers:
//
//             linear                    sliceable                 gather
//   local     nothing: the sequential reference, which passes packets inside the process
//   ring      2 (W-1)/W · up            (W-1)/W · (up + down)     (W-1) · up
//   server    2 (W-1)/W · up            (W-1)/W · (up + down)     (W-1)/W · (up + down)
//
// Messages per worker, one header each: ring 2 (W-1), 2 (W-1) and W-1; server 2 S (W-1)/W in each
// case. (A slice or shard without coordinates is not sent, except in `linear`.)
//
// All topologies add in the order of collectives.hpp, so they give identical bits. The topology
// ring can also all-reduce by a tree or by halving (all_reduce.hpp), which add in other orders; the
// bytes of all workers together are the same.
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

// One worker's part in the exchange. TopologyPlan::join makes it.
class Topology {
 public:
  virtual ~Topology() = default;
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  using Use = FunctionRef<void(const GradientSource& mean)>;
  // Runs all phases for one bucket; without buckets, for the whole gradient. Calls `use` once with
  // the mean gradient of all workers, as the compressor reconstructs it. The mean must only be read
  // inside this call, because parts of it may be in the memory of other workers.
  //
  // `scratch` has the ids and shapes of `gradients`. A compressor that cannot decode single blocks
  // writes the whole mean to it. It may be the memory of the gradients. If workers share memory,
  // uncompressed gradients are added in place, so `gradients` may hold other values after the call.
  //
  // round.first is the first coordinate of the gradients in the model. The function sets the
  // round's worker, workers, phase and count.
  void run(Compressor& compressor, const Round& round, std::span<const GradView> gradients,
           std::span<const GradView> scratch, Use use);

  // Payload bytes of the packets that this worker encoded in the last `run`.
  std::size_t message_bytes() const { return message_bytes_; }

 protected:
  // The arguments of `run` and the traits of the step. round.phase is the phase in progress.
  struct Job {
    Compressor& compressor;
    Round round;
    Traits traits;
    std::span<const GradView> gradients, scratch;
  };

  explicit Topology(Worker& me);

  // The payload's floats = their sum over all workers.
  virtual void all_reduce(Packet& values) = 0;
  // values = their sum over all workers / divisor, without packets, for workers that share memory.
  // `use` reads the results in place. Returns false and does nothing if this topology cannot do so.
  virtual bool reduce_in_memory(std::span<float> values, float divisor, const Label& label,
                                Use use) = 0;
  // `up` is the worker's own packet; `down` becomes the down packet, joined from its slices.
  virtual void combine_in_slices(const Job& job, Packet& up, Packet& down) = 0;
  // Encodes, exchanges and decodes: the server shard by shard, the other topologies all at once.
  virtual void run_gather(const Job& job) = 0;

  // The next three functions time themselves (accounting.hpp); the time of `combine` counts
  // as decode. `encode` also adds to message_bytes.
  void encode(const Job& job, const Round& round, std::span<const GradView> views, Packet& up);
  // Combines packets with the tensors of `shape`, or slices of packets, for which `shape` is empty.
  void combine(const Job& job, const Round& round, std::span<const GradView> shape,
               std::span<const Packet> up, Packet& down);
  // In the last phase, decodes the down packet into the next part of the mean; in earlier phases,
  // advances the compressor. `scratch` is the bucket's part of job.scratch.
  void decode(const Job& job, const Round& round, const Packet& down,
              std::span<const GradView> scratch);

  Worker& me_;

 private:
  // A step of uncompressed gradients in shared memory. Returns false and does nothing if the step
  // needs packets.
  bool run_in_memory(const Job& job, Use use);

  std::size_t message_bytes_ = 0;
  std::vector<float> weights_;  // 1/W for each worker
  Packet up_, down_;
  JoinedGradient mean_;  // of the last `run`, one part per decoded packet
};

enum class TopologyKind : std::uint8_t { local, ring, server };
std::string_view to_string(TopologyKind kind);
TopologyKind parse_topology(std::string_view name);  // throws UsageError with the known names

struct TopologyOptions {
  TopologyKind kind = TopologyKind::ring;
  int workers = 1;
  int servers = 1;                         // kind server: shards, on the workers of lowest rank
  AllReduce all_reduce = AllReduce::ring;  // kind ring: the algorithm for linear packets
  LinkSpeed link = {};                     // all_reduce automatic: the network to choose for
};

struct LocalBoard;

// The topology of a run, made before its workers start. It must outlive the topologies.
//
//   const TopologyPlan plan({.kind = TopologyKind::ring, .workers = 4}, *compressor);
//   run_workers({.workers = 4}, [&](Worker& me) { auto topology = plan.join(me); … });
class TopologyPlan {
 public:
  // Throws UsageError, with the reason, for options that do not fit together or the compressor.
  TopologyPlan(const TopologyOptions& options, const Compressor& compressor);

  const TopologyOptions& options() const { return options_; }
  // Called once by every worker. Throws Error unless me.size() is the planned number of workers.
  std::unique_ptr<Topology> join(Worker& me) const;
  // Called by the remaining workers, with their new ranks, after a worker has left. Throws Error if
  // me.size() is above the planned number of workers.
  std::unique_ptr<Topology> join_smaller(Worker& me) const;

 private:
  std::unique_ptr<Topology> make(Worker& me) const;

  TopologyOptions options_;
  std::shared_ptr<LocalBoard> board_;  // kind local
};

}  // namespace terse
