#include "examples/run/series.hpp"

#include <fmt/format.h>

#include <new>

#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

std::string Series::run(FunctionRef<void()> job) {
  std::string failure;
  bool diverged = false;
  try {
    job();
    ++succeeded_;
    return "";
  } catch (const Interrupted& interruption) {
    interruption_ = interruption;
    return interruption.what();
  } catch (const NonFiniteGradient& e) {
    failure = fmt::format("diverged at step {}", e.step());
    diverged = true;
  } catch (const std::bad_alloc&) {
    failure = "out of memory";
  } catch (const std::exception& e) {
    failure = e.what();
  }
  if (!diverged) {
    ++crashed_;
    if (first_crash_.empty()) first_crash_ = failure;
  }
  if (first_failure_.empty()) first_failure_ = failure;
  return failure;
}

void Series::finish() const {
  if (interruption_) throw *interruption_;
  check(crashed_ == 0, "{} of the runs failed; the first error: {}", crashed_, first_crash_);
  check(succeeded_ > 0 || first_failure_.empty(), "no run has a result; the first run {}",
        first_failure_);
}

}  // namespace terse::run
