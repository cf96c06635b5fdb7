// allocation_cases N CASE [FOLDER]: a short training run in which the N-th allocation fails, by
// operator new or by the allocator of tensors. With N = 0, none fails. Prints the number of
// allocations. CASE is ring, async, images (reads FOLDER), or mpi. The case mpi runs under mpirun
// with --transport mpi as the last arguments; the N-th allocation fails in each process.
// .ci/inject_failures calls the program with every N.
#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "examples/run/training.hpp"
#include "examples/train/mpi_program.hpp"
#include "tersegrad/core/error.hpp"

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

namespace {

using namespace terse;

run::RunConfig config_of(const std::string& name, const std::string& folder) {
  run::RunConfig config;
  config.model = "mlp:hidden=2";
  config.data =
      name == "images" ? "images:path=" + folder + ",size=8" : "synthetic:size=8,train=40,test=20";
  config.workers = 2;
  config.batch = 5;
  config.steps = 2;
  config.compressor = "sign+ef";
  if (name == "async") {
    config.topology = "async";
    config.steps = 4;
  }
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  return run::run_mpi_program("allocation_cases", argc, argv, [&](Worker* me) {
    check<UsageError>(argc > 2, "expected N and a case; got {} arguments", argc - 1);
    auto config = config_of(argv[2], argc > 3 ? argv[3] : "");
    if (me != nullptr) config.transport = "mpi";
    failing = std::atoll(argv[1]);
    made = 0;
    run::complete(config);
    const auto data = run::load_data(config);
    const auto result = run::train(config, data, {}, me);
    const std::int64_t all = made;
    failing = 0;
    if (me == nullptr || me->rank() == 0) {
      fmt::print("{} allocations, {} steps\n", all, result.steps);
    }
  });
}
