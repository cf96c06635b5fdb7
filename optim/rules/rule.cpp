#include "optim/rules/rule.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"

namespace terse {

void StateArray::prepare(std::int64_t n) {
  if (empty()) {
    float* values = values_.emplace(n).data();
    parallel_for(n, rule::kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::fill(values + begin, values + end, initial_);
    });
  }
  check(std::ssize(values_->span()) == n,
        "{}: the state has one value a parameter; got {} parameters and {} values", name_, n,
        values_->span().size());
}

// As Archive::item does with a vector.
void StateArray::serialize(Archive& archive) {
  std::uint64_t length = empty() ? 0 : values_->span().size();
  archive.item(std::string(name_) + ".length", length);
  if (archive.loading()) {
    check(length < (1ULL << 40), "archive: {} claims {} values", name_, length);
    values_.reset();
    if (length > 0) values_.emplace(static_cast<std::int64_t>(length));
  }
  archive.item(name_, empty() ? std::span<float>() : values_->span());
}

}  // namespace terse
