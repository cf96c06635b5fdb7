// server: a synchronous parameter server, sharded over the workers of rank 0 … S-1.
//
//   linear      shard s owns the floats [n s / S, n (s+1) / S) of the payload: push one's slices;
//               the owner adds them in the order of collectives.hpp; pull the sums
//   sliceable   shard s owns a slice of the coordinates (sliced_exchange.hpp)
//   gather      shard s owns a contiguous range of whole tensors, about 1/S of the model, as a
//               bucket: push one packet per bucket; the owner combines them; pull the down packets
//
// A whole-model compressor has one bucket, on shard 0. A worker does not send to itself what it
// pushes to or pulls from its own shard. Cost in bytes and messages: the table in topology.hpp.
#include <algorithm>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/collectives/shared_all_reduce.hpp"
#include "tersegrad/comm/collectives/sliced_exchange.hpp"
#include "tersegrad/comm/topology/bucket.hpp"
#include "tersegrad/comm/topology/topologies.hpp"

namespace terse {
namespace {

class ServerTopology final : public Topology {
 public:
  ServerTopology(Worker& me, int servers)
      : Topology(me),
        servers_(servers),
        slices_(me, servers),
        pushed_(static_cast<std::size_t>(me.size())),
        downs_(static_cast<std::size_t>(servers)) {}

 private:
  bool serves() const { return me_.rank() < servers_; }

  // ---- linear ----

  void all_reduce(Packet& values) override {
    const auto floats = values.floats();
    if (me_.shares_memory()) return direct_all_reduce(me_, servers_, floats, 1, label_of(values));
    const auto shard = [&](int server) {
      const auto at = chunk_of(floats.size(), server, servers_);
      return floats.subspan(at.first, at.count);
    };
    auto header = values.header();
    header.worker = static_cast<std::uint16_t>(me_.rank());
    for (int k = 1; k <= servers_; ++k) {  // push; workers begin with different servers
      const int server = (me_.rank() + k) % servers_;
      if (server != me_.rank()) me_.send(server, header, std::as_bytes(shard(server)));
    }
    header.kind = PacketKind::partial;
    header.contributors = static_cast<std::uint16_t>(me_.size());
    if (serves()) {
      add_pushed(header, shard(me_.rank()), chunk_of(floats.size(), me_.rank(), servers_).first,
                 floats.size());
    }
    for (int server = 0; server < servers_; ++server) {  // pull
      if (server == me_.rank()) continue;
      const auto sum = shard(server);
      me_.recv(server,
               {.kind = PacketKind::partial,
                .phase = header.phase,
                .step = header.step,
                .payload_bytes = sum.size_bytes()},
               in_);
      std::ranges::copy(std::as_const(in_).floats(), sum.begin());
    }
  }

  bool reduce_in_memory(std::span<float> values, float divisor, const Label& label,
                        Use use) override {
    if (!me_.shares_memory()) return false;
    direct_reduce_scatter(me_, servers_, values, divisor, label, use);
    return true;
  }

  // The owner's part of `all_reduce`. `own` is the owner's shard of its own payload of `whole`
  // floats, which begins at `first`; it becomes the sum.
  void add_pushed(const PacketHeader& header, std::span<float> own, std::size_t first,
                  std::size_t whole) {
    const Expected expected{
        .phase = header.phase, .step = header.step, .payload_bytes = own.size_bytes()};
    parts_.clear();
    for (int worker = 0; worker < me_.size(); ++worker) {
      if (worker == me_.rank()) {
        parts_.emplace_back(own);
        continue;
      }
      auto& packet = pushed_[static_cast<std::size_t>(worker)];
      me_.recv(worker, expected, packet);
      parts_.emplace_back(std::as_const(packet).floats());
    }
    sum_.resize(own.size());
    sum_in_ring_order(parts_, first, whole, sum_);
    std::ranges::copy(sum_, own.begin());
    for (int k = 1; k < me_.size(); ++k) {
      me_.send((me_.rank() + k) % me_.size(), header, std::as_bytes(std::span(sum_)));
    }
  }

  // ---- sliceable ----

  void combine_in_slices(const Job& job, Packet& up, Packet& down) override {
    slices_.run(
        job.round, up, job.traits.block_words,
        [&](const Round& round, std::span<const Packet> parts, Packet& serve) {
          combine(job, round, {}, parts, serve);
        },
        down);
  }

  // ---- gather ----

  void run_gather(const Job& job) override {
    const auto buckets = cut_into_buckets(job.gradients, job.traits.whole_model ? 1 : servers_);
    const auto owned = [&](std::size_t shard) { return static_cast<int>(shard) == me_.rank(); };
    for (std::size_t shard = 0; shard < buckets.size(); ++shard) {
      if (buckets[shard].tensors > 0)
        push(job, buckets[shard].of(job.round), buckets[shard], shard);
    }
    for (std::size_t shard = 0; shard < buckets.size(); ++shard) {
      const auto& bucket = buckets[shard];
      if (bucket.tensors > 0 && owned(shard))
        serve(job, bucket.of(job.round), bucket.of(job.gradients));
    }
    for (std::size_t shard = 0; shard < buckets.size(); ++shard) {
      const auto& bucket = buckets[shard];
      if (bucket.tensors == 0) continue;
      if (!owned(shard)) pull(job.round, shard);
      decode(job, bucket.of(job.round), owned(shard) ? own_down_ : downs_[shard],
             bucket.of(job.scratch));
    }
  }

  void push(const Job& job, const Round& round, const Bucket& bucket, std::size_t shard) {
    const auto server = static_cast<int>(shard);
    if (server == me_.rank()) {
      encode(job, round, bucket.of(job.gradients), pushed_[shard]);
      return;
    }
    encode(job, round, bucket.of(job.gradients), up_);
    const auto timed = me_.time(Part::exchange);
    me_.send(server, up_);
  }

  void serve(const Job& job, const Round& round, std::span<const GradView> shape) {
    const auto timed = me_.time(Part::exchange);
    const Expected expected{.phase = round.phase, .step = round.step};
    for (int worker = 0; worker < me_.size(); ++worker) {
      if (worker != me_.rank())
        me_.recv(worker, expected, pushed_[static_cast<std::size_t>(worker)]);
    }
    combine(job, round, shape, pushed_, own_down_);
    for (int k = 1; k < me_.size(); ++k) me_.send((me_.rank() + k) % me_.size(), own_down_);
  }

  void pull(const Round& round, std::size_t shard) {
    const auto timed = me_.time(Part::exchange);
    me_.recv(static_cast<int>(shard),
             {.kind = PacketKind::down, .phase = round.phase, .step = round.step}, downs_[shard]);
  }

  int servers_;
  SlicedExchange slices_;
  std::vector<Packet> pushed_;  // by worker: pushed to this worker's shard
  std::vector<Packet> downs_;   // by shard: down packets, which may be read until the next step
  std::vector<std::span<const float>> parts_;
  std::vector<float> sum_;
  Packet up_, own_down_, in_;
};

}  // namespace

std::unique_ptr<Topology> make_server_topology(Worker& me, int servers) {
  return std::make_unique<ServerTopology>(me, servers);
}

}  // namespace terse
