#include "tersegrad/optim/compressor.hpp"

#include "tersegrad/core/error.hpp"

namespace terse {

void Compressor::advance(const Round& round, const Packet&, std::span<const GradView>) {
  internal_check(false, "{}: expected phase 0, because the compressor has one phase; got phase {}",
                 spec(), round.phase);
}

const GradientSource& Compressor::written(const Round& round, std::span<const GradView> scratch) {
  auto& source = written_.at(round.first);
  source.clear();
  for (const auto& view : scratch) source.add(view.data);
  return source;
}

void decode_to(std::span<const GradView> out, Compressor& compressor, const Round& round,
               const Packet& down) {
  if (round.phase + 1 < compressor.traits(round.step).phases) {
    return compressor.advance(round, down, out);
  }
  materialize(compressor.decode(round, down, out), out);
}

}  // namespace terse
