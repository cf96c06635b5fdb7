// The memory that the workers of one process open to each other, for Worker::expose.
//
// Every worker has a window. It is open from the time when all workers have called `expose` until
// all have finished it, and peers access it only in between. A worker that fails meanwhile must not
// leave and free its memory while another worker still reads it. It reports its failure, so that
// no worker waits for it, and waits until the last reader has finished. A reader that never
// finishes is handled like any worker that stalls after a failure (run_workers.hpp).
//
// Thread contract: a worker changes its own window while it is closed, and all workers read all
// windows while they are open. Barriers separate the two.
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
    // Counters of peer accesses to this window.
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

  // `call_off` is called with the first failure of a worker; it ends the waits of all others.
  SharedMemory(int workers, std::function<void(std::exception_ptr)> call_off)
      : call_off_(std::move(call_off)), windows_(static_cast<std::size_t>(workers)) {}

  Window& window(int rank) { return windows_[static_cast<std::size_t>(rank)]; }

  // A worker accesses windows of peers only between these two calls.
  void begin_reading() { ++readers_; }
  void end_reading() {
    if (--readers_ == 0) readers_.notify_all();
  }
  void wait_until_nobody_reads() {
    for (int n = readers_; n > 0; n = readers_) readers_.wait(n);
  }
  void call_off(std::exception_ptr failure) { call_off_(std::move(failure)); }

 private:
  std::function<void(std::exception_ptr)> call_off_;
  std::deque<Window> windows_;  // by worker; they do not move
  std::atomic<int> readers_{0};
};

}  // namespace terse
