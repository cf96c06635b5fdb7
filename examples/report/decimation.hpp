// Keeps a bounded number of a curve's points, with its extremes.
//
// Consecutive points form buckets of equal length. A bucket keeps its lowest and its highest point
// and the first one whose value is not finite. When there are too many buckets, neighbours are
// joined, which doubles their length. The first and the last point of the curve are always kept. A
// point is added in O(1) time on average; the memory does not depend on the number of points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace terse::run {

struct CurvePoint {
  double value = 0;           // whose extremes are kept
  std::vector<double> cells;  // the point's entry in each column
  std::int64_t index = 0;     // set by Decimation
};

class Decimation {
 public:
  // Keeps all points of a curve that has at most `most` points.
  explicit Decimation(std::size_t most);

  void add(CurvePoint point);
  std::vector<CurvePoint> points() const;  // in their order
  const std::optional<CurvePoint>& last() const { return last_; }

 private:
  struct Bucket {
    std::optional<CurvePoint> lowest, highest, gap;
    std::int64_t size = 0;

    void add(const CurvePoint& point);
    void add(const Bucket& later);
  };
  void join_neighbours();

  std::size_t most_buckets_;
  std::int64_t bucket_size_ = 1, count_ = 0;
  std::vector<Bucket> buckets_;
  std::optional<CurvePoint> first_, last_;
};

// Keeps a bounded number of evenly spaced items, and the last one.
template <class T>
class Thinning {
 public:
  explicit Thinning(std::size_t most) : most_(most < 2 ? 2 : most) {}

  void add(T item) {
    last_ = std::move(item);
    if (count_++ % stride_ != 0) return;
    kept_.push_back(*std::exchange(last_, std::nullopt));
    if (kept_.size() == most_) halve();
  }
  std::vector<T> items() const {
    auto all = kept_;
    if (last_) all.push_back(*last_);
    return all;
  }

 private:
  void halve() {
    if (kept_.size() % 2 == 0) last_ = kept_.back();  // it is dropped below
    for (std::size_t i = 1; 2 * i < kept_.size(); ++i) kept_[i] = std::move(kept_[2 * i]);
    kept_.resize((kept_.size() + 1) / 2);
    stride_ *= 2;
  }

  std::size_t most_;
  std::int64_t stride_ = 1, count_ = 0;
  std::vector<T> kept_;
  std::optional<T> last_;  // the latest item, unless it is among those kept
};

}  // namespace terse::run
