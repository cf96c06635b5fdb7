#include "examples/whatif/stage_energy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "tersegrad/core/spec.hpp"

namespace terse::run {
namespace {

constexpr std::size_t kBytesOfSparseValue = 8;

double square(float x) {
  return static_cast<double>(x) * static_cast<double>(x);
}

double squares_of(std::span<const float> x) {
  return std::transform_reduce(x.begin(), x.end(), 0.0, std::plus<>(), square);
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

// The sum of the k largest squares.
double largest_squares(std::vector<float> x, std::size_t k) {
  if (k >= x.size()) return squares_of(x);
  std::ranges::nth_element(x, x.begin() + static_cast<std::ptrdiff_t>(k), std::greater<>(), square);
  return squares_of(std::span(x).first(k));
}

std::optional<std::int64_t> rank_of(const Compressor& compressor) {
  const auto spec = Spec::parse(compressor.spec());
  for (const auto& option : spec.stages.front().options) {
    std::int64_t rank = 0;
    if (option.key != "rank" || !option.value) continue;
    std::from_chars(option.value->data(), option.value->data() + option.value->size(), rank);
    if (rank > 0) return rank;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Compressor> StageEnergy::make(const std::string& method) {
  auto compressor =
      make_compressor(method, [this](std::unique_ptr<Compressor> stage, bool decorator) {
        if (auto* it = dynamic_cast<ConservingStage*>(stage.get())) conserving_ = it;
        return decorator ? std::move(stage) : observed(std::move(stage), *this);
      });
  rank_ = rank_of(*compressor);
  return compressor;
}

bool StageEnergy::copy_residual(std::span<const GradView> residual) const {
  if (conserving_ != nullptr) conserving_->copy_kept(residual);
  return conserving_ != nullptr;
}

void StageEnergy::input(const Round&, std::span<const GradView> grads, float keep,
                        std::span<const GradView> residual) {
  if (open_) {  // the same input again
    x_.resize(bucket_);
    shapes_.resize(bucket_shapes_);
  }
  open_ = true;
  bucket_ = x_.size();
  bucket_shapes_ = shapes_.size();
  for (std::size_t t = 0; t < grads.size(); ++t) {
    shapes_.push_back(grads[t].with({}));
    const auto begin = x_.insert(x_.end(), grads[t].data.begin(), grads[t].data.end());
    if (residual.empty()) continue;
    std::ranges::transform(residual[t].data, std::span(begin, x_.end()), begin,
                           [keep](float e, float g) { return keep * e + g; });
  }
}

void StageEnergy::packet(const Round& round, std::span<const GradView> shape,
                         const Compressor& stage, const Packet& up) {
  payload_bytes_ += up.payload().size();
  if (round.phase + 1 < stage.traits(round.step).phases) return;
  const auto x = std::span(x_).subspan(bucket_);
  std::vector<float> reconstruction(x.size());
  std::vector<GradView> views;
  lay_out(shape, reconstruction, views);
  stage.reconstruct(round, up, views);
  lost_ += squared_distance(x, reconstruction);
  open_ = false;
}

double StageEnergy::best_of_rank() const {
  if (!rank_) return std::numeric_limits<double>::quiet_NaN();
  auto x = x_;
  std::vector<float> best(x.size());
  std::vector<GradView> from, to;
  std::size_t at = 0;
  for (const auto& shape : shapes_) {
    const auto n = static_cast<std::size_t>(shape.rows * shape.cols);
    from.push_back(shape.with(std::span(x).subspan(at, n)));
    to.push_back(shape.with(std::span(best).subspan(at, n)));
    at += n;
  }
  const auto svd = make_compressor(fmt::format("svd:rank={}", *rank_));
  const Round round{.count = std::ssize(x)};
  Packet up;
  svd->encode(round, from, up);
  svd->reconstruct(round, up, to);
  return 1 - squared_distance(x, best) / squares_of(x);
}

std::optional<Energy> StageEnergy::take() {
  std::optional<Energy> energy;
  const double all = squares_of(x_);
  if (all > 0) {
    energy = {.kept = 1 - lost_ / all,
              .top_k = largest_squares(x_, payload_bytes_ / kBytesOfSparseValue) / all,
              .svd = best_of_rank()};
  }
  x_.clear();
  shapes_.clear();
  payload_bytes_ = 0;
  lost_ = 0;
  return energy;
}

}  // namespace terse::run
