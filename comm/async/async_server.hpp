// The asynchronous parameter server: the model, and what is done with each push.
//
//   state:  x, version t = 0; for each worker w: the version v_w that it pulled, and clock c_w = 0
//   pull(w):  v_w = t, and w gets x
//   push(w, packet):
//     c_w = c_w + 1
//     if the rule drops stale pushes and v_w < t: drop the packet
//     otherwise hold it; if as many packets are held as the rule gathers:
//       g = mean of their gradients, in the order of the workers, each corrected for its
//           staleness t - v_w
//       x = the update rule's step for g;  t = t + 1
//     every worker that may continue is released: it pulls, and computes
//
// With a bound s, a worker with clock c may continue only if c <= s + (minimum of all clocks). A
// fast worker thus waits, and the model that it then pulls has the first c - s pushes of every
// worker. s = 0 gathers the pushes of all workers: this is the synchronous server, bit for bit.
//
// The server knows neither time nor messages: a simulation and a transport both call it, from one
// thread.
//
// Cost: x, one gradient, the packets that are held, and the state of the update rule. A push costs
// O(d), independent of W. The models that workers have pulled are kept only if the correction or
// sparse pulls need them.
// Source: Dean et al., "Large scale distributed deep networks", NIPS 2012; the bound: Ho et al.,
// "More effective distributed ML via a stale synchronous parallel parameter server", NIPS 2013.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tersegrad/comm/async/push_decoder.hpp"
#include "tersegrad/comm/async/server_rule.hpp"
#include "tersegrad/comm/async/staleness.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

// A copy of the model, shared by all who use it.
using ModelCopy = std::shared_ptr<const Buffer<float>>;

// Saves and loads copies of models that are shared, each once.
//
//   ModelTable table(archive, numel);
//   table.item("held", copy);  …              a number, or -1 for no copy
//   table.finish();
class ModelTable {
 public:
  ModelTable(Archive& archive, std::int64_t numel);  // loads the copies
  void item(std::string_view name, ModelCopy& copy);
  void finish();  // saves the copies

 private:
  void serialize_copies();

  Archive& archive_;
  std::int64_t numel_;
  std::vector<ModelCopy> copies_;
};

// One push in an update.
struct AppliedPush {
  int worker = 0;
  std::uint64_t read = 0;       // the version at which it was computed
  std::uint64_t staleness = 0;  // updates since that version
  ModelCopy model = {};         // the model of that version, if the server keeps models
};

class AsyncServer {
 public:
  struct Options {
    int workers = 1;
    std::uint64_t seed = 0;
    std::optional<std::uint64_t> bound = std::nullopt;  // of staleness, in clocks
    bool keep_models = false;                           // keep the models that workers have pulled
  };

  // `parameters`, the model, and `update` must outlive the server.
  AsyncServer(const Options& options, ParameterBuffer& parameters, UpdateRule& update,
              ServerRule rule, std::unique_ptr<Compressor> compressor);

  // Records that the worker pulls the present version.
  void pull(int worker);
  // Records that the worker pulls an older version: synthetic staleness.
  void pull(int worker, std::uint64_t version, ModelCopy model);

  // Processes a push. `packet` may be swapped with another packet. `lr` is the rate of the update
  // that the push may cause. Throws PacketError if a packet of that update is invalid.
  void push(int worker, Packet& packet, float lr);
  // After a push: the pushes that it caused to be applied, in the order of the workers.
  std::span<const AppliedPush> applied() const { return applied_; }
  // After a push: the workers that may continue, in ascending order.
  std::span<const int> released() const { return released_; }

  // Whether the worker has pushed and must not pull yet.
  bool waits(int worker) const;

  std::uint64_t version() const { return version_; }
  std::uint64_t read_version(int worker) const { return slot(worker).read; }
  std::span<const float> model() const { return parameters_.values(); }
  ModelCopy copy();  // of x; made at most once per version
  const ModelCopy& held_by(int worker) const { return slot(worker).model; }
  const StalenessRecord& staleness() const { return staleness_; }
  std::uint64_t dropped() const { return dropped_; }

  // The whole state between two pushes. `models` belongs to the same archive.
  void serialize(Archive& archive, ModelTable& models);

 private:
  struct AsyncSlot {
    std::uint64_t read = 0, clock = 0;
    bool waits = false;  // for the next update
    ModelCopy model;     // with keep_models: the model that the worker pulled
  };
  AsyncSlot& slot(int worker) { return slots_[static_cast<std::size_t>(worker)]; }
  const AsyncSlot& slot(int worker) const { return slots_[static_cast<std::size_t>(worker)]; }

  void serialize_pushes(Archive& archive, ModelTable& models);
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
  std::vector<AsyncSlot> slots_;
  std::vector<int> idle_;              // workers that have pushed and are not released
  std::uint64_t least_clock_ = 0;      // the minimum of all clocks
  int at_least_clock_;                 // number of workers with that clock
  std::vector<Packet> held_;           // slots; the first gathered_.size() are in use
  std::vector<AppliedPush> gathered_;  // the pushes that are held, in the order of the workers
  std::vector<AppliedPush> applied_;
  std::vector<int> released_;
  std::vector<float> sum_;  // of corrected gradients
  ModelCopy copy_;
  StalenessRecord staleness_;
};

}  // namespace terse
