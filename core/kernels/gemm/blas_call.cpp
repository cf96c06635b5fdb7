#include "tersegrad/core/kernels/gemm/blas_call.hpp"

#include <cblas.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <system_error>

#include "tersegrad/core/error.hpp"

namespace terse::kernels {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{128} << 20;

std::atomic<int> active = 0;   // calls that run now
std::atomic<int> granted = 0;  // calls at once for which memory was available
std::mutex mutex;              // guards writes to granted

// Whether the system can provide a buffer: 0, or the value of errno.
int ask_for_buffer() {
  void* memory =
      mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  munmap(memory, kBufferBytes);
  return 0;
}

}  // namespace

BlasCall::BlasCall() {
  static const bool alone = (openblas_set_num_threads(1), true);
  static_cast<void>(alone);
  const int wanted = ++active;
  if (wanted <= granted) return;
  const std::lock_guard lock(mutex);
  if (wanted <= granted) return;
  if (const int reason = ask_for_buffer(); reason != 0) {
    --active;
    throw Error(fmt::format(
        "OpenBLAS needs a buffer of {} MiB for each of {} concurrent calls; the system cannot "
        "allocate it: {}; raise the memory limit (ulimit -v), or use fewer --threads or --workers",
        kBufferBytes >> 20, wanted, std::generic_category().message(reason)));
  }
  granted = wanted;
}

BlasCall::~BlasCall() {
  --active;
}

}  // namespace terse::kernels
