// DoubleSqueeze: compression with error feedback in both directions.
//
//   state:   residual e_w of each worker, residual E of the server; all 0 at first
//   worker:  p = g_w + e_w;  send C(p);  e_w = p - C(p)
//   server:  q = mean of all C(p) + E;  send C(q);  E = q - C(q)
//   worker:  mean = C(q)
//
// x - lr (E + mean of e_w) follows plain SGD exactly for constant lr. The down packet is as small
// as an up packet. In a topology without a server every worker computes the server's part, and E is
// the same on all. If the number of workers changes, E starts from 0 again: the part of a worker that
// has left is lost, and the other parts may belong to other workers than before.
//
// Cost: 4 d bytes of state on a worker, and as much on the server. The packet does not grow.
// C must have one phase, a packet of it must be decodable by itself, and like for error feedback C
// must be a contraction, unless `unsafe` is given.
// Source: Tang et al., arXiv 1905.05957, algorithm 1.
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/conservation.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

constexpr std::uint32_t kServer = (1U << 24) - 1;  // its random stream; no worker has this rank

// Changes the header. Packet::start does not change a payload of the same size.
void relabel(Packet& packet, PacketKind kind, std::uint32_t worker) {
  auto header = packet.header();
  header.kind = kind;
  header.worker = static_cast<std::uint16_t>(worker);
  packet.start(header, packet.payload().size());
}

class DoubleSqueeze final : public Decorator, public ConservingStage {
 public:
  DoubleSqueeze(bool unsafe, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), unsafe_(unsafe), server_(make_compressor(inner_->spec())) {}

  std::string spec() const override {
    return around(unsafe_ ? "doublesqueeze:unsafe=true" : "doublesqueeze");
  }
  Traits traits(std::uint64_t step) const override {
    return {.whole_model = inner_->traits(step).whole_model, .keeps_residual = true};
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto e = worker_residual_.views(grads);
    for (std::size_t t = 0; t < e.size(); ++t) kernels::add_to(grads[t].data, e[t].data);
    squeeze(*inner_, round, e, up);
  }

  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override {
    if (workers_ != round.workers) begin_anew(round.workers);
    const auto q = server_residual_.views(shape);
    const auto reconstruction = copy_.like(shape);
    for (std::size_t w = 0; w < up.size(); ++w) {
      inner_->reconstruct(round, up[w], reconstruction);
      for (std::size_t t = 0; t < q.size(); ++t) {
        kernels::add_scaled_to(reconstruction[t].data, weights[w], q[t].data);
      }
    }
    auto server = round;
    server.worker = kServer;
    squeeze(*server_, server, q, down);
    relabel(down, PacketKind::down, round.worker);
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    server_->reconstruct(round, down, scratch);
    return written(round, scratch);
  }

  void add_up(const Round&, std::span<const GradView> grads,
              std::span<const GradView> total) override {
    worker_residual_.copy_to(total);
    for (std::size_t t = 0; t < total.size(); ++t) kernels::add_to(grads[t].data, total[t].data);
  }
  void copy_kept(std::span<const GradView> kept) override { worker_residual_.copy_to(kept); }
  bool has_server() const override { return true; }
  bool copy_kept_by_server(const GradView& kept) override {
    server_residual_.copy_to(std::span(&kept, 1));
    return server_residual_.has(kept.id);
  }

  void serialize(Archive& archive) override {
    worker_residual_.serialize(archive, "doublesqueeze.worker_residual");
    server_residual_.serialize(archive, "doublesqueeze.server_residual");
    archive.item("doublesqueeze.server_workers", workers_);
    inner_->serialize(archive);
    const auto scope = archive.scope("doublesqueeze.server");
    server_->serialize(archive);
  }

 private:
  void begin_anew(std::uint32_t workers) {
    if (workers_ != 0) server_residual_ = TensorState();
    workers_ = workers;
  }

  // packet = C(x);  x = x - C(x)
  void squeeze(Compressor& compressor, const Round& round, std::span<const GradView> x,
               Packet& packet) {
    compressor.encode(round, x, packet);
    const auto reconstruction = copy_.like(x);
    compressor.reconstruct(round, packet, reconstruction);
    for (std::size_t t = 0; t < x.size(); ++t) {
      kernels::subtract_from(reconstruction[t].data, x[t].data);
    }
  }

  bool unsafe_;
  std::unique_ptr<Compressor> server_;
  TensorState worker_residual_, server_residual_;
  std::uint32_t workers_ = 0;  // the number of workers in the last mean; 0: none yet
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_double_squeeze(std::uint16_t, Options& options,
                                                std::unique_ptr<Compressor> inner) {
  const auto traits = inner->traits(0);
  check<UsageError>(traits.phases == 1 && traits.self_contained,
                    "doublesqueeze: expected a compressor with one phase, whose packets can be "
                    "decoded alone; got {}",
                    inner->spec());
  const bool unsafe = unsafe_or_contraction("doublesqueeze", options, *inner);
  return std::make_unique<DoubleSqueeze>(unsafe, std::move(inner));
}

}  // namespace terse
