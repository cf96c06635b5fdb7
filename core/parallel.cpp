#include "tersegrad/core/parallel.hpp"

#include <algorithm>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"

#ifdef TERSE_PARALLEL_TBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#else
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#endif

namespace terse {
namespace {

std::int64_t piece_count(std::int64_t n, std::int64_t grain) {
  internal_check(n >= 0 && grain > 0,
                 "parallel_for: expected n at least 0 and grain at least 1; got {} and {}", n,
                 grain);
  return (n + grain - 1) / grain;
}

void run_pieces(std::int64_t pieces, FunctionRef<void(std::int64_t)> piece);

}  // namespace

void parallel_for(std::int64_t n, std::int64_t grain,
                  FunctionRef<void(std::int64_t, std::int64_t)> body) {
  const std::int64_t pieces = piece_count(n, grain);
  if (pieces == 0) return;
  if (pieces == 1) {
    body(0, n);
    return;
  }
  const int threads = thread_count();
  run_pieces(pieces, [&](std::int64_t i) {
    const PieceScope scope(threads);
    body(i * grain, std::min(n, (i + 1) * grain));
  });
}

double parallel_sum(std::int64_t n, std::int64_t grain,
                    FunctionRef<double(std::int64_t, std::int64_t)> body) {
  const std::int64_t pieces = piece_count(n, grain);
  if (pieces == 1) return body(0, n);
  std::vector<double> partial(static_cast<std::size_t>(pieces));
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    partial[static_cast<std::size_t>(begin / grain)] = body(begin, end);
  });
  double sum = 0;
  for (const double p : partial) sum += p;
  return sum;
}

#ifdef TERSE_PARALLEL_TBB

namespace {

void run_pieces(std::int64_t pieces, FunctionRef<void(std::int64_t)> piece) {
  tbb::parallel_for(std::int64_t{0}, pieces, [&](std::int64_t i) { piece(i); });
}

std::unique_ptr<tbb::global_control>& thread_limit() {
  static std::unique_ptr<tbb::global_control> limit;
  return limit;
}

}  // namespace

int thread_count() {
  return static_cast<int>(
      tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
}

void set_thread_count(int threads) {
  check(threads >= 1, "threads: expected at least 1; got {}", threads);
  thread_limit() = std::make_unique<tbb::global_control>(
      tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
}

struct Arena::Impl {
  tbb::task_arena arena;
};

Arena::Arena() : impl_(std::make_unique<Impl>()) {}
Arena::~Arena() = default;
void Arena::run(FunctionRef<void()> body) {
  impl_->arena.execute([&] { body(); });
}

#else  // with std::thread: slower, but ThreadSanitizer sees its synchronisation

namespace {

std::atomic<int>& thread_limit() {
  static std::atomic<int> limit{
      static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
  return limit;
}

void run_pieces(std::int64_t pieces, FunctionRef<void(std::int64_t)> piece) {
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr first;
  const auto take = [&] {
    try {
      for (std::int64_t i = next++; i < pieces; i = next++) piece(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
    }
  };
  std::vector<std::thread> helpers;
  const auto wanted = std::min<std::int64_t>(pieces, thread_limit());
  for (std::int64_t i = 1; i < wanted; ++i) helpers.emplace_back(take);
  take();
  for (auto& helper : helpers) helper.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace

int thread_count() {
  return thread_limit();
}

void set_thread_count(int threads) {
  check(threads >= 1, "threads: expected at least 1; got {}", threads);
  thread_limit() = threads;
}

struct Arena::Impl {};
Arena::Arena() = default;
Arena::~Arena() = default;
void Arena::run(FunctionRef<void()> body) {
  body();
}

#endif

}  // namespace terse
