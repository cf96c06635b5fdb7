// What the workers of one process lay open to each other: the ground of Worker::expose.
//
// Every worker has a window here. It is open from the time when all have come to `expose` until all
// are done there, and a peer's window is looked at in between alone. A worker that fails meanwhile
// may not leave, and free its memory, while another still reads it; it says what happened, so that
// no one waits for it, and waits until the last has looked away. That takes as long as the others
// compute. One that never comes back is found as any that stalls after a failure (run_workers.hpp).
//
// Thread contract: a worker writes to its own window while it is closed, and all read all windows
// while they are open; the barriers between order them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <span>
#include <utility>

#include "tersegrad/comm/transport/endpoint.hpp"

namespace terse {

class SharedMemory {
 public:
  struct Window {
    std::span<const std::byte> values;
    std::span<std::byte> results;
    Expected label;  // what the memory is part of
    // What the others have read, which its worker has so said, and written, which it was told.
    std::atomic<std::uint64_t> reads{0}, bytes_read{0}, writes{0}, bytes_written{0};

    void open(std::span<const std::byte> its_values, std::span<std::byte> its_results,
              const Expected& its_label) {
      values = its_values;
      results = its_results;
      label = its_label;
      for (auto* count : {&reads, &bytes_read, &writes, &bytes_written}) *count = 0;
    }
    void close() { values = results = {}; }
  };

  // `call_off` takes the first failure of a worker and ends the waits of all others.
  SharedMemory(int workers, std::function<void(std::exception_ptr)> call_off)
      : call_off_(std::move(call_off)), windows_(static_cast<std::size_t>(workers)) {}

  Window& window(int rank) { return windows_[static_cast<std::size_t>(rank)]; }

  // A worker may look at the others' windows from the one on until the other.
  void begin_looking() { ++looking_; }
  void end_looking() {
    if (--looking_ == 0) looking_.notify_all();
  }
  void wait_until_nobody_looks() {
    for (int n = looking_; n > 0; n = looking_) looking_.wait(n);
  }
  void call_off(std::exception_ptr failure) { call_off_(std::move(failure)); }

 private:
  std::function<void(std::exception_ptr)> call_off_;
  std::deque<Window> windows_;  // by worker; they do not move
  std::atomic<int> looking_{0};
};

}  // namespace terse
