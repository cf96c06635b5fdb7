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

// The double build does not use the next two functions.

// With fewer than 16 channels the panels of Winograd's matrix products are half empty.
[[maybe_unused]] bool use_winograd(const ConvShape& a) {
  return winograd::applies(a) && a.c >= 16 && a.k >= 16 && !exact_convolution();
}

[[maybe_unused]] bool is_depthwise(const ConvShape& a) {
  return a.groups > 1 && a.groups == a.c;
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  if constexpr (kReference) {
    reference::conv2d_forward(shape, x, w, bias, y);
  } else if (use_winograd(shape)) {
    winograd::conv2d_forward(shape, x, w, bias, y);
  } else if (is_depthwise(shape)) {
    depthwise::conv2d_forward(shape, x, w, bias, y);
  } else {
    direct::conv2d_forward(shape, x, w, bias, y);
  }
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  if constexpr (kReference) {
    reference::conv2d_data_gradient(shape, dy, w, dx);
  } else if (use_winograd(shape)) {
    winograd::conv2d_data_gradient(shape, dy, w, dx);
  } else if (is_depthwise(shape)) {
    depthwise::conv2d_data_gradient(shape, dy, w, dx);
  } else {
    direct::conv2d_data_gradient(shape, dy, w, dx);
  }
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  if constexpr (kReference) {
    reference::conv2d_weight_gradient(shape, x, dy, dw);
  } else if (use_winograd(shape)) {
    winograd::conv2d_weight_gradient(shape, x, dy, dw);
  } else if (is_depthwise(shape)) {
    depthwise::conv2d_weight_gradient(shape, x, dy, dw);
  } else {
    direct::conv2d_weight_gradient(shape, x, dy, dw);
  }
}

}  // namespace terse::kernels
