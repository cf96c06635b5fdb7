// Collects the states of all workers after a step, for a checkpoint.
//
// Workers that are threads leave their part at a board and go on at once; the last one that comes
// writes the checkpoint. So a checkpoint sends no message and takes no virtual time. Workers that
// are processes send their parts to worker 0, which writes it.
//
// Memory: until the checkpoint is written, the state of all workers a second time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "examples/run/checkpoint.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse::run {

class StateCollector {
 public:
  using Write = std::function<void(const RunState&)>;

  // `processes`: each worker has a collector in its own process. Otherwise they share this one.
  StateCollector(bool processes, Write write) : processes_(processes), write_(std::move(write)) {}

  // Called by every worker after the same step, with its own parts; that of worker 0 has the length
  // of the log. With `last`, processes return only when the checkpoint has been written. Throws
  // what `write` throws.
  void add(Worker& me, RunState own, bool last);

 private:
  void leave_at_board(const Worker& me, RunState own);
  void send_to_first(Worker& me, RunState own, bool last);

  bool processes_;
  Write write_;
  std::mutex mutex_;
  std::map<std::int64_t, std::map<int, RunState>> boards_;  // by step, then by worker
};

}  // namespace terse::run
