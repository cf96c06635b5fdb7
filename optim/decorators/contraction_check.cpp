#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"

namespace terse {
namespace {

// Why what is left out of a packet should not be kept around this compressor; empty if it should.
std::string_view reason_against(const Compressor& inner) {
  const auto traits = inner.traits(0);
  if (traits.scale_free) {
    return "whose result is a direction without a magnitude, so that a residual does not measure "
           "what is left out";
  }
  if (traits.keeps_residual) return "which itself sends later what a packet leaves out";
  if (traits.rounds_sum) {
    return "which also rounds the sum of the packets, an error that the worker's reconstruction of "
           "its own packet does not contain (reduce=gather does not round the sum)";
  }
  if (inner.is_contraction()) return {};
  if (inner.variance(0, {})) {
    return "whose noise can exceed the gradient for some size of tensor (its variance is not below "
           "1), so that the residual grows; an unbiased compressor needs no error feedback";
  }
  return "which is no contraction for tensors of every size, so that the residual can grow";
}

}  // namespace

bool unsafe_or_contraction(std::string_view stage, Options& options, const Compressor& inner) {
  if (options.flag("unsafe", false)) return true;
  const auto reason = reason_against(inner);
  check<UsageError>(reason.empty(),
                    "{}: expected a compressor whose error is smaller than the gradient; got {}, "
                    "{}; leave {} out, or write {}:unsafe to see what happens",
                    stage, inner.spec(), reason, stage, stage);
  return false;
}

}  // namespace terse
