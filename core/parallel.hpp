// Parallel loops inside one worker.
//
// A loop is cut into pieces of a fixed size, whatever the number of threads, and partial sums are
// added in the order of the pieces. Results therefore do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

namespace terse {

// A non-owning reference to a callable. It allocates nothing and keeps templates out of signatures.
// The callable must outlive the FunctionRef.
template <class Signature>
class FunctionRef;

template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
 public:
  // Not for another FunctionRef: that one is copied.
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, FunctionRef> &&
                                              std::is_invocable_r_v<Result, F&, Args...>>>
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
// on any threads. Returns when all pieces are done. A loop of one piece runs on the calling thread.
// Rethrows the first exception that a piece throws. A piece should take at least 20 µs, since
// starting one costs about 1 µs. Throws InternalError unless n >= 0 and grain > 0.
void parallel_for(std::int64_t n, std::int64_t grain,
                  FunctionRef<void(std::int64_t begin, std::int64_t end)> body);

// The sum of body(begin, end) over all pieces, added in the order of the pieces.
double parallel_sum(std::int64_t n, std::int64_t grain,
                    FunctionRef<double(std::int64_t begin, std::int64_t end)> body);

// The number of threads that this process uses for parallel loops, in all arenas together.
int thread_count();
void set_thread_count(int threads);  // Error below 1; default: the number of cores

// The parallel loops of one worker. A thread inside `run` shares the threads of the process with
// other arenas, but while it waits for its own loops it never executes pieces of another arena.
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
