// Parallel loops inside one worker.
//
// Work is cut into pieces of a fixed size, never by the number of threads, and partial sums are
// added in the order of the pieces: results do not depend on how many threads there are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

namespace terse {

// A callable passed by reference: no allocation, no template in the signature. It must not outlive
// the call that it is passed to.
template <class Signature>
class FunctionRef;

template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
 public:
  // Not for another FunctionRef: that is a copy.
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, FunctionRef>>>
  FunctionRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, Args... args) -> Result {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}
  Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  Result (*call_)(void*, Args...);
};

// Calls body(begin, end) for the pieces [0, grain), [grain, 2 grain), … of [0, n), in any order and
// on any threads; returns when all are done. One piece runs where it is called. The first
// exception of a piece is rethrown. A piece should take 20 µs or more: starting one costs about 1.
void parallel_for(std::int64_t n, std::int64_t grain,
                  FunctionRef<void(std::int64_t begin, std::int64_t end)> body);

// Sum over the pieces of what body(begin, end) returns, added in the order of the pieces.
double parallel_sum(std::int64_t n, std::int64_t grain,
                    FunctionRef<double(std::int64_t begin, std::int64_t end)> body);

// The threads that this process uses for parallel loops, in all arenas together.
int thread_count();
void set_thread_count(int threads);  // at least 1; default: the number of cores

// A worker's own place for parallel loops: a thread inside `run` shares the process's threads with
// the other arenas, but never takes up another arena's work while it waits for its own.
class Arena {
 public:
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  void run(FunctionRef<void()> body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace terse
