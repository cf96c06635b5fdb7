// allocation_cases N: a short training run in which the N-th allocation fails, of those by operator
// new and of those by the allocator of tensors; 0: none does. Prints how many there were.
// .ci/inject_failures calls it with every N.
#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "examples/support/program.hpp"
#include "examples/support/training.hpp"

namespace {

std::atomic<std::int64_t> made = 0, failing = 0;

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (++made == failing) throw std::bad_alloc();
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, whole);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

int main(int argc, char** argv) {
  using namespace terse;
  return run::run_program("allocation_cases", [&] {
    run::RunConfig config;
    config.model = "mlp:hidden=2";
    config.data = "synthetic:size=8,train=40,test=20";
    config.workers = 2;
    config.batch = 5;
    config.steps = 2;
    config.compressor = "sign+ef";
    failing = argc > 1 ? std::atoll(argv[1]) : 0;
    made = 0;
    run::complete(config);
    const auto data = run::load_data(config);
    const auto result = run::train(config, data, {});
    const std::int64_t all = made;
    failing = 0;
    fmt::print("{} allocations, {} steps\n", all, result.steps);
  });
}
