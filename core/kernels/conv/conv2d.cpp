// Selects the kernel of a convolution. The double build has only the reference kernels.
#include "tersegrad/core/kernels/conv/conv2d.hpp"

#include <atomic>
#include <type_traits>

namespace terse::kernels {
namespace {

constexpr bool kReference = std::is_same_v<real, double>;

std::atomic<bool> exact{false};

}  // namespace

void set_exact_convolution(bool wanted) {
  exact = wanted;
}
bool exact_convolution() {
  return exact;
}

namespace winograd {
bool applies(const ConvShape& a) {
  return a.r == 3 && a.s == 3 && a.stride == 1 && a.padding == 1 && a.groups == 1 && a.n > 0;
}
}  // namespace winograd

namespace {

// One way to compute a convolution and its two gradients.
struct ConvKernels {
  decltype(&conv2d_forward) forward;
  decltype(&conv2d_data_gradient) data_gradient;
  decltype(&conv2d_weight_gradient) weight_gradient;
};

// With fewer than 16 channels the panels of Winograd's matrix products are half empty.
[[maybe_unused]] bool use_winograd(const ConvShape& a) {
  return winograd::applies(a) && a.c >= 16 && a.k >= 16 && !exact_convolution();
}

[[maybe_unused]] bool is_depthwise(const ConvShape& a) {
  return a.groups > 1 && a.groups == a.c;
}

ConvKernels kernels_for([[maybe_unused]] const ConvShape& shape) {
  if constexpr (kReference) {
    return {reference::conv2d_forward, reference::conv2d_data_gradient,
            reference::conv2d_weight_gradient};
  } else if (use_winograd(shape)) {
    return {winograd::conv2d_forward, winograd::conv2d_data_gradient,
            winograd::conv2d_weight_gradient};
  } else if (is_depthwise(shape)) {
    return {depthwise::conv2d_forward, depthwise::conv2d_data_gradient,
            depthwise::conv2d_weight_gradient};
  } else {
    return {direct::conv2d_forward, direct::conv2d_data_gradient, direct::conv2d_weight_gradient};
  }
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  kernels_for(shape).forward(shape, x, w, bias, y);
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  kernels_for(shape).data_gradient(shape, dy, w, dx);
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  kernels_for(shape).weight_gradient(shape, x, dy, dw);
}

}  // namespace terse::kernels
