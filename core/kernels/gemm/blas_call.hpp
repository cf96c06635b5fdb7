// Guard for every call of OpenBLAS or LAPACK.
#pragma once

namespace terse::kernels {

// Checks that memory for OpenBLAS's work buffer is available.
//
// OpenBLAS takes a buffer of 128 MiB for each call that runs at the same time and keeps it for
// later calls. If the system refuses the memory, OpenBLAS 0.3 retries forever; this class therefore
// requests the memory first, and throws Error if it is refused. The first guard also sets OpenBLAS
// to one thread, because its threads would compete with those of parallel_for.
class BlasCall {
 public:
  BlasCall();
  ~BlasCall();
  BlasCall(const BlasCall&) = delete;
  BlasCall& operator=(const BlasCall&) = delete;
};

}  // namespace terse::kernels
