#include "tersegrad/comm/async/push_decoder.hpp"

#include <algorithm>
#include <utility>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

PushDecoder::PushDecoder(const ParameterBuffer& parameters, std::unique_ptr<Compressor> compressor,
                         std::uint64_t seed)
    : compressor_(std::move(compressor)),
      seed_(seed),
      mean_(static_cast<std::size_t>(parameters.numel())),
      mean_views_(grad_views(parameters, mean_)) {}

std::span<float> PushDecoder::alone(const Packet& push, float lr) {
  combine_and_decode(std::span(&push, 1), lr, mean_views_);
  return mean_;
}

std::span<float> PushDecoder::mean(std::span<const Packet> pushes, float lr) {
  const auto step = pushes.front().header().step;
  if (std::ranges::all_of(pushes, [&](const auto& push) { return push.header().step == step; })) {
    combine_and_decode(pushes, lr, mean_views_);
    return mean_;
  }
  std::ranges::fill(mean_, 0.0F);
  one_.resize(mean_.size());
  one_views_ = mean_views_;
  std::span<float> rest(one_);
  for (auto& view : one_views_) {
    view.data = rest.first(view.data.size());
    rest = rest.subspan(view.data.size());
  }
  const float weight = 1.0F / static_cast<float>(pushes.size());
  for (const auto& push : pushes) {
    combine_and_decode(std::span(&push, 1), lr, one_views_);
    kernels::add_scaled_to(one_, weight, mean_);
  }
  return mean_;
}

void PushDecoder::combine_and_decode(std::span<const Packet> pushes, float lr,
                                     std::span<const GradView> out) {
  const auto header = pushes.front().header();
  const auto workers = static_cast<std::uint32_t>(pushes.size());
  const Round round{.seed = seed_,
                    .step = header.step,
                    .worker = workers == 1 ? header.worker : std::uint32_t{0},
                    .workers = workers,
                    .lr = lr,
                    .count = static_cast<std::int64_t>(mean_.size())};
  const auto traits = compressor_->traits(round.step);
  if (traits.linear) {
    add_up(pushes);
  } else {
    weights_.assign(pushes.size(), 1.0F / static_cast<float>(workers));
    const auto shape = traits.sliceable ? std::span<const GradView>() : out;
    compressor_->combine(round, shape, pushes, weights_, down_);
  }
  materialize(compressor_->decode(round, down_, out), out);
}

void PushDecoder::add_up(std::span<const Packet> pushes) {
  parts_.clear();
  const auto bytes = pushes.front().payload().size();
  for (const auto& push : pushes) {
    check<PacketError>(push.payload().size() == bytes,
                       "push: expected payloads of {} bytes, because they are added; got {}", bytes,
                       push.payload().size());
    parts_.push_back(push.floats());
  }
  auto header = pushes.front().header();
  header.kind = PacketKind::partial;
  header.contributors = static_cast<std::uint16_t>(pushes.size());
  down_.start(header, bytes);
  sum_in_ring_order(parts_, 0, parts_.front().size(), down_.floats());
}

}  // namespace terse
