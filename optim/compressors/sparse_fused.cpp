// Sparsifiers with error feedback: the residual loses the entries that are sent one by one, instead
// of in a pass over a reconstruction of the whole bucket.
#include "tersegrad/optim/compressors/sparse.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

bool SparseCompressor::encode_with_residual(const Round& round, std::span<const GradView> grads,
                                            float keep, std::span<const GradView> residual,
                                            Packet& up) {
  const bool as_chosen = coder_ == nullptr && exact();
  entries_.clear();
  accumulate_and_choose(round, grads, keep, residual, as_chosen, entries_);
  write_chosen(round, residual, up);
  if (!as_chosen) entries_of(round, residual, up).subtract_from(residual);
  return true;
}

void SparseCompressor::accumulate_and_choose(const Round& round, std::span<const GradView> grads,
                                             float keep, std::span<const GradView> residual,
                                             bool remove_chosen, Entries& chosen) {
  for (std::size_t t = 0; t < grads.size(); ++t) {
    kernels::blend_to(grads[t].data, keep, 1, residual[t].data);
  }
  choose(round, residual, chosen);
  if (remove_chosen) chosen.subtract_from(residual);
}

}  // namespace terse
