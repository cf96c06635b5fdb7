// A decorator that shows an observer what a compressor encodes, sends and decodes. It changes no bit
// of the run. While the observer does not watch, a step costs a few calls more.
//
//   encode(grads)            the observer gets the input, in phase 0, before it is encoded
//                            and the up packet, in every phase
//   encode_with_residual     the input is keep · residual + grads
//   decode(down packet)      the observer gets the mean
//
// Around the whole chain of a run, the input is the gradient of this worker and the mean is that
// which updates the model. Around the first stage (make_compressor with `wrap`), the input is what
// is compressed: the gradient with the residual of error feedback, or a momentum.
//
// Workers that share memory exchange uncompressed gradients without packets. In a step that is
// watched they make packets, which give the same bits.
#pragma once

#include <memory>
#include <span>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

// All calls are made by the thread that encodes or decodes, once for each bucket.
class CompressorObserver {
 public:
  virtual ~CompressorObserver() = default;
  // Whether the step in progress is observed. Constant during a step.
  virtual bool watches() const = 0;
  // The input is keep · residual + grads; `residual` is empty if the stage keeps none. A stage may
  // show the same input twice.
  virtual void input(const Round&, std::span<const GradView> /*grads*/, float /*keep*/,
                     std::span<const GradView> /*residual*/) {}
  // In the last phase `stage.reconstruct(round, up, …)` gives the reconstruction of the packet.
  virtual void packet(const Round&, std::span<const GradView> /*shape*/,
                      const Compressor& /*stage*/, const Packet& /*up*/) {}
  virtual void mean(const Round&, std::span<const GradView> /*shape*/, const GradientSource&) {}
};

// `observer` must outlive the compressor.
std::unique_ptr<Compressor> observed(std::unique_ptr<Compressor> compressor,
                                     CompressorObserver& observer);

}  // namespace terse
