#include "examples/report/packet_sizes.hpp"

#include <algorithm>
#include <memory>
#include <string_view>

#include "examples/run/step_time.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {
namespace {

std::int64_t values_in(const std::vector<MatrixShape>& shapes) {
  std::int64_t n = 0;
  for (const auto& shape : shapes) n += shape.rows * shape.cols;
  return n;
}

Packet copy_with(const PacketHeader& header, const Packet& packet) {
  Packet copy(header, packet.payload().size());
  std::ranges::copy(packet.payload(), copy.payload().begin());
  copy.seal();
  return copy;
}

// A worker, which also makes the packets of the others.
class PacketMaker {
 public:
  PacketMaker(const RunConfig& config, const std::vector<MatrixShape>& shapes)
      : config_(config),
        workers_(static_cast<std::size_t>(config.workers)),
        compressor_(make_run_compressor(config)),
        values_(values_in(shapes)),
        mean_(values_in(shapes)),
        gradients_(views_of(values_.span(), shapes)),
        scratch_(views_of(mean_.span(), shapes)),
        round_{.seed = config.seed,
               .workers = static_cast<std::uint32_t>(workers_),
               .lr = 0.1F,
               .count = values_in(shapes)},
        is_async_(config.is_async()) {
    Philox random(config.seed, {.purpose = Purpose::synthetic});
    for (auto& value : values_.span()) value = random.normal();
  }

  std::vector<PhaseBytes> step(std::uint64_t number) {
    std::vector<PhaseBytes> phases;
    const auto traits = compressor_->traits(number);
    round_.step = number;
    for (round_.phase = 0; round_.phase < traits.phases; ++round_.phase) {
      Packet up;
      compressor_->encode(round_, gradients_, up);
      const auto down = exchange(traits, up);
      phases.push_back({.kind = traits.linear      ? "linear"
                                : traits.sliceable ? "sliceable"
                                                   : "gather",
                        .up = static_cast<double>(up.payload().size()),
                        .down = static_cast<double>(down.payload().size())});
      decode_to(scratch_, *compressor_, round_, down);
    }
    return phases;
  }

 private:
  Packet exchange(const Traits& traits, const Packet& up) {
    auto header = up.header();
    const auto copies = is_async_ ? 1 : workers_;  // an asynchronous server decodes them one by one
    if (traits.linear) {
      header.kind = PacketKind::partial;
      header.contributors = static_cast<std::uint16_t>(copies);
      return copy_with(header, up);
    }
    constexpr std::size_t kMostBytes = 2'000'000'000;
    check(up.size_bytes() <= kMostBytes / copies, "the packets of {} workers take more than 2 GB",
          copies);
    std::vector<Packet> ups = {copy_with(header, up)};
    while (ups.size() < copies) {
      header.worker = static_cast<std::uint16_t>(ups.size());
      // Packets with the coordinates of entries differ in them, and so does the down packet.
      const bool alone = traits.phases == 1 && !traits.sliceable;
      ups.push_back(copy_with(header, alone ? packet_of_another_worker(header.worker) : up));
    }
    const std::vector<float> weights(copies, 1.0F / static_cast<float>(copies));
    Packet down;
    compressor_->combine(round_, traits.sliceable ? std::span<const GradView>() : gradients_, ups,
                         weights, down);
    return down;
  }

  // Its gradient has the same values in other places.
  Packet packet_of_another_worker(std::uint32_t worker) {
    const auto values = values_.span();
    constexpr std::size_t kPlaces = 1009;
    if (values.size() > kPlaces)
      std::rotate(values.begin(), values.begin() + kPlaces, values.end());
    auto round = round_;
    round.worker = worker;
    Packet packet;
    make_run_compressor(config_)->encode(round, gradients_, packet);
    return packet;
  }

  const RunConfig& config_;
  std::size_t workers_;
  std::unique_ptr<Compressor> compressor_;
  Buffer<float> values_, mean_;
  std::vector<GradView> gradients_, scratch_;
  Round round_;
  bool is_async_;
};

}  // namespace

std::vector<PhaseBytes> packet_sizes(const RunConfig& config,
                                     const std::vector<MatrixShape>& shapes, std::uint64_t step) {
  PacketMaker maker(config, shapes);
  auto phases = maker.step(0);
  return step == 0 ? phases : maker.step(step);
}

}  // namespace terse::run
