#include "examples/report/decimation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace terse::run {

void Decimation::Bucket::add(const CurvePoint& point) {
  ++size;
  if (!std::isfinite(point.value)) {
    if (!gap) gap = point;
    return;
  }
  if (!lowest || point.value < lowest->value) lowest = point;
  if (!highest || point.value > highest->value) highest = point;
}

void Decimation::Bucket::add(const Bucket& later) {
  const auto sum = size + later.size;
  for (const auto* point : {&later.lowest, &later.highest, &later.gap}) {
    if (*point) add(**point);
  }
  size = sum;
}

Decimation::Decimation(std::size_t most) : most_buckets_(std::max<std::size_t>(2, most)) {}

void Decimation::add(CurvePoint point) {
  point.index = count_++;
  if (buckets_.empty() || buckets_.back().size == bucket_size_) {
    if (buckets_.size() == most_buckets_) join_neighbours();
    // After an odd number of buckets was joined, the last one is not full.
    if (buckets_.empty() || buckets_.back().size == bucket_size_) buckets_.emplace_back();
  }
  buckets_.back().add(point);
  if (!first_) first_ = point;
  last_ = std::move(point);
}

void Decimation::join_neighbours() {
  std::vector<Bucket> joined;
  for (std::size_t i = 0; i < buckets_.size(); i += 2) {
    joined.push_back(std::move(buckets_[i]));
    if (i + 1 < buckets_.size()) joined.back().add(buckets_[i + 1]);
  }
  buckets_ = std::move(joined);
  bucket_size_ *= 2;
}

std::vector<CurvePoint> Decimation::points() const {
  std::vector<CurvePoint> all;
  const auto add = [&](const std::optional<CurvePoint>& point) {
    if (point) all.push_back(*point);
  };
  add(first_);
  add(last_);
  for (const auto& bucket : buckets_) {
    add(bucket.lowest);
    add(bucket.highest);
    add(bucket.gap);
  }
  std::ranges::sort(all, {}, &CurvePoint::index);
  const auto same = [](const auto& a, const auto& b) { return a.index == b.index; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  return all;
}

}  // namespace terse::run
