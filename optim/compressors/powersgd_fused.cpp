// PowerSGD with error feedback in half the passes over the residual e, with the same bits.
//
//   as written in error_feedback.cpp   here
//   e = keep e + g                     phase 0: row by row, e = keep (e - P' Q'^T) + g and P = e Q,
//   send P = e Q                                where P' and Q' are those of the previous step
//   send Q = e^T P                     phase 1: from the last matrix to the first, because phase 0
//                                               has left the last ones in the cache
//   e = e - P Q^T                      pending until the next step, or until `settle`
#include <utility>

#include "tersegrad/optim/compressors/powersgd.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

bool PowerSgd::encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                                    std::span<const GradView> residual, Packet& up) {
  if (round.phase == 0) {
    encode_p_with_residual(round, grads, keep, residual, up);
  } else if (sends_p(round.phase)) {
    encode(round, residual, up);
  } else {
    encode_q_backwards(round, residual, up);
  }
  if (!is_last(round.phase)) return true;
  PayloadReader sent(std::as_const(up).words());
  for (const auto& e : residual) {
    if (!compressed(e)) {
      kernels::subtract_from(e.data, e.data);  // not a fill with 0: NaN stays NaN
      continue;
    }
    const auto q = sent.next_floats(size_of_q(e));
    auto& pending = pending_[e.id];
    pending.rows = e.rows;
    pending.cols = e.cols;
    pending.q.assign(q.begin(), q.end());
  }
  return true;
}

void PowerSgd::encode_p_with_residual(const Round& round, std::span<const GradView> grads,
                                      float keep, std::span<const GradView> residual, Packet& up) {
  auto payload = start(round, residual, up);
  for (std::size_t t = 0; t < grads.size(); ++t) {
    const auto& e = residual[t];
    if (!compressed(e)) continue;
    auto& pending = pending_[e.id];
    const auto p = payload.next_floats(size_of_p(e));
    kernels::accumulate_and_times_q(grads[t].data, keep, factors(e.id, pending), e.data, e.rows,
                                    e.cols, rank_of(e), q_for(round, e), p);
    pending.q.clear();
  }
  for (std::size_t t = 0; t < grads.size(); ++t) {
    if (!compressed(grads[t])) kernels::blend_to(grads[t].data, keep, 1, residual[t].data);
  }
}

void PowerSgd::encode_q_backwards(const Round& round, std::span<const GradView> residual,
                                  Packet& up) {
  auto rest = start(round, residual, up).rest();
  const auto last_floats = [&rest](std::int64_t n) {
    const auto back = rest.last(static_cast<std::size_t>(n));
    rest = rest.first(rest.size() - back.size());
    return as_floats(back);
  };
  for (auto t = residual.size(); t-- > 0 && is_last(round.phase);) {
    const auto& e = residual[t];
    if (!compressed(e)) kernels::copy_to(e.data, last_floats(std::ssize(e.data)));
  }
  for (auto t = residual.size(); t-- > 0;) {
    const auto& e = residual[t];
    if (!compressed(e)) continue;
    kernels::transposed_times_p({e.rows, e.cols, e.data}, rank_of(e), p_of(e),
                                last_floats(size_of_q(e)));
  }
}

void PowerSgd::settle(std::span<const GradView> residual) {
  for (const auto& e : residual) {
    auto& pending = pending_[e.id];
    if (pending.q.empty()) continue;
    kernels::subtract_outer_product(pending.rows, pending.cols, factors(e.id, pending), e.data);
    pending.q.clear();
  }
}

kernels::Factors PowerSgd::factors(std::uint32_t id, const Pending& pending) const {
  if (pending.q.empty()) return {};
  const auto rank = std::ssize(pending.q) / pending.cols;
  return {.p = p_.existing(id, rank * pending.rows), .q = pending.q};
}

}  // namespace terse
