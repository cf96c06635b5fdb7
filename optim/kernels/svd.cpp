#include "tersegrad/optim/kernels/svd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/gemm/blas_call.hpp"

// The singular value decomposition of LAPACK, from OpenBLAS. Matrices are column-major; the last
// argument is the length of the string `job`.
extern "C" void sgesdd_(const char* job, const int* m, const int* n, float* a, const int* lda,
                        float* s, float* u, const int* ldu, float* vt, const int* ldvt, float* work,
                        const int* lwork, int* iwork, int* info, std::size_t job_length);

namespace terse::kernels {
namespace {

bool all_finite(std::span<const float> x) {
  return std::ranges::all_of(x, [](float value) { return std::isfinite(value); });
}

// A Jacobi rotation that zeroes element (p, q) of a symmetric matrix.
struct Rotation {
  double cosine = 1, sine = 0;

  Rotation(double pp, double pq, double qq) {
    if (pq == 0) return;
    const double theta = (qq - pp) / (2 * pq);
    const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(1.0, theta));
    cosine = 1 / std::hypot(1.0, t);
    sine = t * cosine;
  }
  void turn(double& a, double& b) const {
    const double old = a;
    a = cosine * old - sine * b;
    b = sine * old + cosine * b;
  }
};

}  // namespace

Svd svd(const MatrixView& matrix) {
  const auto n = static_cast<int>(matrix.n), m = static_cast<int>(matrix.m), k = std::min(n, m);
  Svd found{.u = std::vector<float>(static_cast<std::size_t>(matrix.n * k)),
            .s = std::vector<float>(static_cast<std::size_t>(k)),
            .v = std::vector<float>(static_cast<std::size_t>(matrix.m * k))};
  if (k == 0) return found;
  int info = 1;
  if (all_finite(matrix.data)) {
    // The row-major M is the column-major M^T = V S U^T, so LAPACK's U is v and its V^T is u.
    std::vector<float> a(matrix.data.begin(), matrix.data.end()), ut(found.u.size()), work(1);
    std::vector<int> integers(static_cast<std::size_t>(8 * k));
    const BlasCall guard;
    const auto call = [&](int work_size) {
      sgesdd_("S", &m, &n, a.data(), &m, found.s.data(), found.v.data(), &m, ut.data(), &k,
              work.data(), &work_size, integers.data(), &info, 1);
    };
    call(-1);
    // LAPACK returns the workspace size as a float, which may be rounded down.
    work.resize(static_cast<std::size_t>(std::nextafter(work[0], 1e38F)) + 1);
    call(static_cast<int>(work.size()));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t c = 0; c < k; ++c) found.u[c * n + i] = ut[i * k + c];
    }
  }
  if (info != 0) {  // a value is not finite, or LAPACK did not converge
    for (auto* values : {&found.u, &found.s, &found.v}) {
      std::ranges::fill(*values, std::numeric_limits<float>::quiet_NaN());
    }
  }
  return found;
}

std::vector<float> principal_axes(std::int64_t n, std::span<const float> matrix,
                                  std::int64_t keep) {
  constexpr int kSweeps = 40;  // maximum; about eight are needed
  if (!all_finite(matrix)) return {};
  std::vector<double> a(matrix.begin(), matrix.end()), v(matrix.size());
  for (std::int64_t i = 0; i < n; ++i) v[i * n + i] = 1;  // rows of v are the eigenvectors
  double size = 0;
  for (const double value : a) size += value * value;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double beside = 0;
    for (std::int64_t p = 0; p < n; ++p) {
      for (std::int64_t q = 0; q < p; ++q) beside += a[p * n + q] * a[p * n + q];
    }
    if (!(beside > 1e-28 * size)) break;
    for (std::int64_t p = 0; p < n; ++p) {
      for (std::int64_t q = p + 1; q < n; ++q) {
        const Rotation rotation(a[p * n + p], a[p * n + q], a[q * n + q]);
        if (rotation.sine == 0) continue;
        for (std::int64_t i = 0; i < n; ++i) rotation.turn(a[p * n + i], a[q * n + i]);
        for (std::int64_t i = 0; i < n; ++i) rotation.turn(a[i * n + p], a[i * n + q]);
        for (std::int64_t i = 0; i < n; ++i) rotation.turn(v[p * n + i], v[q * n + i]);
      }
    }
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](auto i) { return a[i * n + i]; });
  std::vector<float> axes;
  axes.reserve(static_cast<std::size_t>(keep * n));
  for (std::int64_t c = 0; c < keep; ++c) {
    for (std::int64_t i = 0; i < n; ++i) {
      axes.push_back(static_cast<float>(v[order[static_cast<std::size_t>(c)] * n + i]));
    }
  }
  return axes;
}

}  // namespace terse::kernels
