// local: the sequential reference.
//
//   1. Every worker puts its packet on the board.
//   2. Worker 0 adds or combines all of them, unsliced, by plain loops.
//   3. Every worker reads the down packet.
//
// Cost: two barriers per phase and no messages. It is meant for the executor that takes turns,
// where it equals a run on one machine that simulates all workers. It is also correct if all
// workers run at once.
#include <utility>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/topology/topologies.hpp"

namespace terse {
namespace {

class LocalTopology final : public Topology {
 public:
  LocalTopology(Worker& me, std::shared_ptr<LocalBoard> board)
      : Topology(me), board_(std::move(board)) {}

 private:
  void all_reduce(Packet& values) override {
    gather_at_worker_0(values, values.payload().size(), [&] {
      std::vector<std::span<const float>> parts;
      for (const auto& packet : all_up()) parts.push_back(packet.floats());
      board_->down.start(board_->up.front().header(), board_->up.front().payload().size());
      sum_in_ring_order(parts, 0, parts.front().size(), board_->down.floats());
    });
    values = board_->down;
  }

  // The reference always uses packets, as over a network.
  bool reduce_in_memory(std::span<float>, float, const Label&, Use) override { return false; }

  void combine_in_slices(const Job& job, Packet& up, Packet& down) override {
    gather_at_worker_0(up, up.payload().size(),
                       [&] { combine(job, job.round, {}, all_up(), board_->down); });
    down = board_->down;
  }

  void run_gather(const Job& job) override {
    encode(job, job.round, job.gradients, own_);
    {
      const auto timed = me_.time(Part::exchange);
      gather_at_worker_0(own_, std::nullopt,
                         [&] { combine(job, job.round, job.gradients, all_up(), board_->down); });
    }
    decode(job, job.round, board_->down, job.scratch);
  }

  // The packets of the present workers; the board has more if workers have left.
  std::span<const Packet> all_up() const {
    return std::span(board_->up).first(static_cast<std::size_t>(me_.size()));
  }

  // Swaps the worker's packet onto the board. When all packets are there, worker 0 checks them
  // against its own header and `payload_bytes` and calls `together`; then all workers continue. The
  // board's down packet may be read until the next call.
  void gather_at_worker_0(Packet& own, std::optional<std::size_t> payload_bytes,
                          FunctionRef<void()> together) {
    const auto header = own.header();
    std::swap(own, board_->up[static_cast<std::size_t>(me_.rank())]);
    me_.barrier();
    if (me_.rank() == 0) {
      const Expected expected{.kind = header.kind,
                              .phase = header.phase,
                              .step = header.step,
                              .payload_bytes = payload_bytes};
      for (int worker = 1; worker < me_.size(); ++worker) {
        check_expected(board_->up[static_cast<std::size_t>(worker)], 0, worker, expected);
      }
      together();
    }
    me_.barrier();
  }

  std::shared_ptr<LocalBoard> board_;
  Packet own_;
};

}  // namespace

std::unique_ptr<Topology> make_local_topology(Worker& me, std::shared_ptr<LocalBoard> board) {
  return std::make_unique<LocalTopology>(me, std::move(board));
}

}  // namespace terse
