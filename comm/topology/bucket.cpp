#include "tersegrad/comm/topology/bucket.hpp"

#include <algorithm>

namespace terse {

std::vector<Bucket> cut_into_buckets(std::span<const GradView> views, int parts) {
  std::vector<Bucket> buckets(static_cast<std::size_t>(parts));
  const std::int64_t whole = std::max<std::int64_t>(count(views), 1);
  std::int64_t offset = 0;
  for (std::size_t tensor = 0; tensor < views.size(); ++tensor) {
    const auto size = std::ssize(views[tensor].data);
    const auto part = std::min<std::int64_t>(parts - 1, (2 * offset + size) * parts / (2 * whole));
    auto& bucket = buckets[static_cast<std::size_t>(part)];
    if (bucket.tensors == 0) {
      bucket.tensor = tensor;
      bucket.first = offset;
    }
    ++bucket.tensors;
    bucket.count += size;
    offset += size;
  }
  return buckets;
}

std::vector<Bucket> cut_from_the_end(std::span<const GradView> views, double bytes) {
  std::vector<Bucket> buckets;
  std::int64_t offset = count(views);
  for (std::size_t tensor = views.size(); tensor-- > 0;) {
    const auto full = [&](const Bucket& last) {
      return static_cast<double>(last.count) * sizeof(float) >= bytes;
    };
    if (buckets.empty() || full(buckets.back())) buckets.emplace_back();
    auto& bucket = buckets.back();
    const auto size = std::ssize(views[tensor].data);
    offset -= size;
    bucket.tensor = tensor;
    bucket.first = offset;
    ++bucket.tensors;
    bucket.count += size;
  }
  if (buckets.empty()) buckets.emplace_back();
  return buckets;
}

}  // namespace terse
