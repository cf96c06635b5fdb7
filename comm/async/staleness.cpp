#include "tersegrad/comm/async/staleness.hpp"

#include <cmath>

namespace terse {

void StalenessRecord::add(std::uint64_t staleness) {
  if (staleness >= histogram_.size()) histogram_.resize(staleness + 1);
  ++histogram_[staleness];
  ++pushes_;
  sum_ += staleness;
}

void StalenessRecord::serialize(Archive& archive, std::string_view name) {
  const auto scope = archive.scope(name);
  archive.item("histogram", histogram_);
  archive.item("pushes", pushes_);
  archive.item("sum", sum_);
}

double StalenessRecord::mean() const {
  return pushes_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(pushes_);
}

double StalenessRecord::deviation() const {
  if (pushes_ == 0) return 0;
  double squares = 0;
  for (std::size_t i = 0; i < histogram_.size(); ++i) {
    const double off = static_cast<double>(i) - mean();
    squares += static_cast<double>(histogram_[i]) * off * off;
  }
  return std::sqrt(squares / static_cast<double>(pushes_));
}

}  // namespace terse
