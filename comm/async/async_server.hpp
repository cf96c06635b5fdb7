// The asynchronous parameter server: the model, and what becomes of the pushes that come in.
//
//   state:  x, version t = 0; for every worker the version v it has pulled, and its clock c = 0
//   pull(w):  v_w = t, and w is given x
//   push(w, packet):
//     c_w = c_w + 1
//     if the rule drops stale pushes and v_w < t: drop it
//     otherwise hold it; once as many are held as the rule gathers:
//       g = what they say, each corrected for its staleness t - v, in the order of the workers
//       x = the update rule's step for g;  t = t + 1
//     whoever may go on is released: it pulls, and computes
//
// With a bound s, a worker may start its clock c only if min over all workers of c_w >= c - s. So
// whoever runs ahead waits, and what it then pulls has all updates of clocks up to c - s - 1. s = 0
// gathers the pushes of all workers: that is the synchronous server, to the bit.
//
// Nothing here knows time or messages: a simulation and a transport both drive it. One thread.
//
// Cost: x, one gradient, the update rule's state; a push costs O(d), whatever W. The models that
// workers hold are kept only if the correction or sparse pulls compare with them.
// Source: Dean et al., "Large scale distributed deep networks", NIPS 2012; the bound: Ho et al.,
// "More effective distributed ML via a stale synchronous parallel parameter server", NIPS 2013.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tersegrad/comm/async/push_decoder.hpp"
#include "tersegrad/comm/async/server_rule.hpp"
#include "tersegrad/comm/async/staleness.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

// A copy of the model that whoever holds it shares.
using ModelCopy = std::shared_ptr<const Buffer<float>>;

// One push in an update.
struct AppliedPush {
  int worker = 0;
  std::uint64_t read = 0;       // the version that it was computed at
  std::uint64_t staleness = 0;  // updates since
  ModelCopy model = {};         // of that version, if the server keeps it
};

class AsyncServer {
 public:
  struct Options {
    int workers = 1;
    std::uint64_t seed = 0;
    std::optional<std::uint64_t> bound = std::nullopt;  // of staleness, in clocks
    bool keep_models = false;                           // those that the workers hold
  };

  // The model and the update rule must outlive the server.
  AsyncServer(const Options& options, ParameterBuffer& parameters, UpdateRule& update,
              ServerRule rule, std::unique_ptr<Compressor> compressor);

  // The worker has x from now on.
  void pull(int worker);
  // Or an older version of it: synthetic staleness.
  void pull(int worker, std::uint64_t version, ModelCopy model);

  // Takes a push; its memory may change places with another packet's. PacketError if it says
  // nothing that could be. `lr` is the rate of the update that it may lead to.
  void push(int worker, Packet& packet, float lr);
  // Of the last push: what was applied, in the order of the workers, and who may go on.
  std::span<const AppliedPush> applied() const { return applied_; }
  std::span<const int> released() const { return released_; }

  std::uint64_t version() const { return version_; }
  std::uint64_t read_version(int worker) const { return seat(worker).read; }
  std::span<const float> model() const { return parameters_.values(); }
  ModelCopy copy();  // of x; made once a version
  const ModelCopy& held_by(int worker) const { return seat(worker).model; }
  const StalenessRecord& staleness() const { return staleness_; }
  std::uint64_t dropped() const { return dropped_; }

  // Version, clocks, the rules' and the compressor's state, and the model. Pushes that are held
  // are not in it.
  void serialize(Archive& archive);

 private:
  struct Seat {
    std::uint64_t read = 0, clock = 0;
    bool waits = false;  // for the update
    ModelCopy model;     // with keep_models
  };
  Seat& seat(int worker) { return seats_[static_cast<std::size_t>(worker)]; }
  const Seat& seat(int worker) const { return seats_[static_cast<std::size_t>(worker)]; }

  void hold(int worker, Packet& packet);
  void apply(float lr);
  std::span<const float> corrected_mean(float lr, float& rate);
  bool advance_clock(int worker);
  void release_idle(bool all);

  Options options_;
  ParameterBuffer& parameters_;
  UpdateRule& update_;
  ServerRule rule_;
  PushDecoder decoder_;
  std::uint64_t version_ = 0, dropped_ = 0;
  std::vector<Seat> seats_;
  std::vector<int> idle_;              // have pushed and not been released
  std::uint64_t least_clock_ = 0;      // of all workers
  int at_least_clock_;                 // how many have it
  std::vector<Packet> held_;           // slots; the first gathered_.size() are taken
  std::vector<AppliedPush> gathered_;  // what is held, in the order of the workers
  std::vector<AppliedPush> applied_;
  std::vector<int> released_;
  std::vector<float> sum_;  // of corrected gradients
  ModelCopy copy_;
  StalenessRecord staleness_;
};

}  // namespace terse
