// Around every call of OpenBLAS or LAPACK.
#pragma once

namespace terse::kernels {

// A call takes a work buffer of 128 MiB, one for each call that runs at the same time, and keeps it
// for later ones. Where the system refuses it, OpenBLAS 0.3 asks again for ever; so this asks
// first. Error if the memory is not there. OpenBLAS is told to start no threads: they would compete
// with those of parallel_for.
class BlasCall {
 public:
  BlasCall();
  ~BlasCall();
  BlasCall(const BlasCall&) = delete;
  BlasCall& operator=(const BlasCall&) = delete;
};

}  // namespace terse::kernels
