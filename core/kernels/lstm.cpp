// The recurrence of LSTM on register tiles.
//
// w_hh is packed once and used by all steps. A panel covers as many hidden units as a tile has
// columns, with all four gates of each unit. A task processes some panels of one step, so the
// activation functions work on sums that are still in the cache, and a step needs one join. The
// products are cut along k into chunks, so that the rows of h, a chunk of the panel and the sums
// stay in the L1 cache. A panel is packed in the order in which it is read:
//
//   forward    (panel, chunk, gate, k of the chunk, unit)      from w_hh (gate, unit, k)
//   backward   (panel, k of 4F, unit)                          from w_hh (k of 4F, unit)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/lstm.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/lstm.hpp"

#include <algorithm>
#include <array>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/kernels/tile.hpp"
#include "tersegrad/core/kernels/transpose.hpp"
#include "tersegrad/core/kernels/vector_math-inl.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/dispatch.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

constexpr int kVectors = 2;           // vectors in a row of a panel
constexpr std::int64_t kChunk = 256;  // maximum length of a chunk of k
// If all steps together have fewer rows, packing costs more than it gains.
constexpr std::int64_t kRowsWorthPacking = 16;

struct Panels {
  std::int64_t width, count, grain;  // units in a panel, number of panels, panels in a task
  explicit Panels(const LstmShape& a)
      : width(kVectors * kWidth), count(divide_up(a.f, width)), grain(1) {
    const std::int64_t flops = 8 * a.n * a.f * width;  // of one panel in one step
    grain = std::max<std::int64_t>(1, 1'000'000 / std::max<std::int64_t>(1, flops));
  }
};

// Calls body(panel, first unit, units) for every panel, in parallel.
template <class Body>
void for_each_panel(const Panels& panels, std::int64_t f, Body body) {
  parallel_for(panels.count, panels.grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      body(p, p * panels.width, std::min(panels.width, f - p * panels.width));
  });
}

// sums (n, panel) += a (n, k; rows `step` apart) · panel (k, panel).
void add_product(std::int64_t n, std::int64_t k, const float* a, std::int64_t step,
                 const float* panel, float* sums) {
  tile(n, kVectors, a, EvenRows{step}, EvenSteps{.step = 1, .length = k}, panel, {.add = true},
       sums);
}

// load_some reads the first `count` lanes and sets the others to 0; store_some writes only
// these lanes.
FloatVector load_some(const float* from, std::int64_t count) {
  constexpr Lanes lanes;
  const auto width = static_cast<std::int64_t>(hn::Lanes(lanes));
  if (count >= width) return hn::LoadU(lanes, from);
  std::array<float, hn::MaxLanes(lanes)> some{};
  std::copy_n(from, std::max<std::int64_t>(0, count), some.begin());
  return hn::LoadU(lanes, some.data());
}
void store_some(FloatVector v, float* to, std::int64_t count) {
  constexpr Lanes lanes;
  const auto width = static_cast<std::int64_t>(hn::Lanes(lanes));
  if (count >= width) return hn::StoreU(v, lanes, to);
  std::array<float, hn::MaxLanes(lanes)> some;
  hn::StoreU(v, lanes, some.data());
  std::copy_n(some.begin(), std::max<std::int64_t>(0, count), to);
}

// Calls body(row, unit within the panel, units left) for every vector of a panel's sums (n, panel).
template <class Body>
void for_each_vector(std::int64_t n, std::int64_t units, Body body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Lanes()));
  for (std::int64_t row = 0; row < n; ++row)
    for (std::int64_t u = 0; u < units; u += lanes) body(row, u, units - u);
}

// ---- forward ------------------------------------------------------------------------------------

void pack_forward(const LstmShape& a, const Panels& panels, const float* w, float* packed) {
  for_each_panel(panels, a.f, [&](std::int64_t p, std::int64_t first, std::int64_t units) {
    float* to = packed + p * 4 * a.f * panels.width;
    if (units < panels.width) std::fill_n(to, 4 * a.f * panels.width, 0.0F);
    for (std::int64_t k = 0; k < a.f; k += kChunk) {
      const std::int64_t length = std::min(kChunk, a.f - k);
      for (std::int64_t gate = 0; gate < 4; ++gate, to += length * panels.width) {
        transpose(units, length, w + (gate * a.f + first) * a.f + k, a.f, to, panels.width);
      }
    }
  });
}

// One step, for one panel at a time. `gates` (N, 4F), `c` and `y` (N, F) are those of the step.
struct ForwardStep {
  std::int64_t n, f;
  const float *bias, *h, *c_before;  // null: zero
  float *gates, *c, *y;

  // sums (gate, N, panel) = x_t w_ihᵀ + bias, for the units of one panel.
  void load(std::int64_t first, std::int64_t units, float* sums) const {
    const std::int64_t width = kVectors * kWidth;
    for (std::int64_t gate = 0; gate < 4; ++gate) {
      const float* b = bias == nullptr ? nullptr : bias + gate * f + first;
      for (std::int64_t row = 0; row < n; ++row, sums += width) {
        const float* from = gates + (row * 4 + gate) * f + first;
        for (std::int64_t u = 0; u < units; ++u) sums[u] = from[u] + (b == nullptr ? 0 : b[u]);
        std::fill(sums + units, sums + width, 0.0F);
      }
    }
  }

  void multiply(const float* panel, float* sums) const {
    const std::int64_t width = kVectors * kWidth;
    for (std::int64_t k = 0; k < f; k += kChunk) {
      const std::int64_t length = std::min(kChunk, f - k);
      for (std::int64_t gate = 0; gate < 4; ++gate, panel += length * width)
        add_product(n, length, h + k, f, panel, sums + gate * n * width);
    }
  }

  // Applies the activation functions and computes c and y.
  void finish(std::int64_t first, std::int64_t units, const float* sums) const {
    constexpr Lanes d;
    const std::int64_t width = kVectors * kWidth;
    for_each_vector(n, units, [&](std::int64_t row, std::int64_t u, std::int64_t left) {
      const auto sum = [&](std::int64_t gate) {
        return hn::LoadU(d, sums + (gate * n + row) * width + u);
      };
      const FloatVector i = sigmoid(sum(0)), forget = sigmoid(sum(1));
      const FloatVector g = tanh(sum(2)), o = sigmoid(sum(3));
      const std::int64_t at = row * f + first + u;
      FloatVector cell = hn::Mul(i, g);
      if (c_before != nullptr) cell = hn::MulAdd(forget, load_some(c_before + at, left), cell);
      float* values = gates + row * 4 * f + first + u;
      store_some(i, values, left);
      store_some(forget, values + f, left);
      store_some(g, values + 2 * f, left);
      store_some(o, values + 3 * f, left);
      store_some(cell, c + at, left);
      store_some(hn::Mul(o, tanh(cell)), y + at, left);
    });
  }
};

// ---- backward -----------------------------------------------------------------------------------

void pack_backward(const LstmShape& a, const Panels& panels, const float* w, float* packed) {
  for_each_panel(panels, a.f, [&](std::int64_t p, std::int64_t first, std::int64_t units) {
    float* to = packed + p * 4 * a.f * panels.width;
    for (std::int64_t k = 0; k < 4 * a.f; ++k, to += panels.width) {
      std::copy_n(w + k * a.f + first, units, to);
      std::fill(to + units, to + panels.width, 0.0F);
    }
  });
}

// One step of the backward pass, for one panel at a time.
struct BackwardStep {
  std::int64_t n, f;
  const float *gates, *c, *c_before;  // c_before null: zero
  const float* dy;                    // null: zero
  const float* dgates_after;          // dgates of the next step; null: none
  float *dgates, *dc;                 // dc: input dc_t, output dc_{t-1}

  // sums (N, panel) = dy
  void load(std::int64_t first, std::int64_t units, float* sums) const {
    const std::int64_t width = kVectors * kWidth;
    for (std::int64_t row = 0; row < n; ++row, sums += width) {
      std::fill_n(sums, width, 0.0F);
      if (dy != nullptr) std::copy_n(dy + row * f + first, units, sums);
    }
  }

  void multiply(const float* panel, float* sums) const {
    const std::int64_t width = kVectors * kWidth;
    for (std::int64_t k = 0; k < 4 * f; k += kChunk) {
      add_product(n, std::min(kChunk, 4 * f - k), dgates_after + k, 4 * f, panel + k * width, sums);
    }
  }

  // Applies the derivatives of the activation functions; sums is dh.
  void finish(std::int64_t first, std::int64_t units, const float* sums) const {
    constexpr Lanes d;
    const FloatVector one = hn::Set(d, 1.0F);
    for_each_vector(n, units, [&](std::int64_t row, std::int64_t u, std::int64_t left) {
      const float* values = gates + row * 4 * f + first + u;
      const FloatVector i = load_some(values, left), forget = load_some(values + f, left);
      const FloatVector g = load_some(values + 2 * f, left), o = load_some(values + 3 * f, left);
      const std::int64_t at = row * f + first + u;
      const FloatVector tanh_c = tanh(load_some(c + at, left));
      const FloatVector before = c_before == nullptr ? hn::Zero(d) : load_some(c_before + at, left);
      const FloatVector dh = hn::LoadU(d, sums + row * kVectors * kWidth + u);
      const FloatVector dcell =
          hn::MulAdd(hn::Mul(dh, o), hn::NegMulAdd(tanh_c, tanh_c, one), load_some(dc + at, left));
      // The derivative of a sigmoid s: ds · s (1 - s).
      const auto through = [&](FloatVector ds, FloatVector s) {
        return hn::Mul(ds, hn::NegMulAdd(s, s, s));
      };
      float* da = dgates + row * 4 * f + first + u;
      store_some(through(hn::Mul(dcell, g), i), da, left);
      store_some(through(hn::Mul(dcell, before), forget), da + f, left);
      store_some(hn::Mul(hn::Mul(dcell, i), hn::NegMulAdd(g, g, one)), da + 2 * f, left);
      store_some(through(hn::Mul(dh, tanh_c), o), da + 3 * f, left);
      store_some(hn::Mul(dcell, forget), dc + at, left);
    });
  }
};

const float* data_or_null(std::span<const float> x) {
  return x.empty() ? nullptr : x.data();
}

}  // namespace

void forward_at_level(const LstmShape& shape, const LstmForward& a) {
  const auto [steps, n, f] = shape;
  const Panels panels(shape);
  const std::int64_t panel_size = 4 * f * panels.width;
  const bool pack = steps * n >= kRowsWorthPacking;
  Buffer<float> packed(pack ? panels.count * panel_size : 0);
  if (pack) pack_forward(shape, panels, a.w_hh.data(), packed.data());
  for (std::int64_t t = 0; t < steps; ++t) {
    const std::int64_t at = t * n * f;
    const ForwardStep step{.n = n,
                           .f = f,
                           .bias = data_or_null(a.bias),
                           .h = t == 0 ? data_or_null(a.h0) : a.y.data() + at - n * f,
                           .c_before = t == 0 ? data_or_null(a.c0) : a.c.data() + at - n * f,
                           .gates = a.gates.data() + 4 * at,
                           .c = a.c.data() + at,
                           .y = a.y.data() + at};
    if (step.h != nullptr && !pack) {
      gemm(Transpose::no, Transpose::yes, n, 4 * f, f, step.h, a.w_hh.data(), 1, step.gates);
    }
    for_each_panel(panels, f, [&](std::int64_t p, std::int64_t first, std::int64_t units) {
      Buffer<float> sums(4 * step.n * panels.width);
      step.load(first, units, sums.data());
      if (step.h != nullptr && pack) step.multiply(packed.data() + p * panel_size, sums.data());
      step.finish(first, units, sums.data());
    });
  }
}

void backward_at_level(const LstmShape& shape, const LstmBackward& a) {
  const auto [steps, n, f] = shape;
  const Panels panels(shape);
  const std::int64_t panel_size = 4 * f * panels.width;
  Buffer<float> packed(panels.count * panel_size);
  pack_backward(shape, panels, a.w_hh.data(), packed.data());
  std::ranges::copy(a.dc_last, a.dc0.data());
  for (std::int64_t t = steps - 1; t >= 0; --t) {
    const std::int64_t at = t * n * f;
    const BackwardStep step{
        .n = n,
        .f = f,
        .gates = a.gates.data() + 4 * at,
        .c = a.c.data() + at,
        .c_before = t == 0 ? data_or_null(a.c0) : a.c.data() + at - n * f,
        .dy = a.dy.data() + at,
        .dgates_after = t + 1 == steps ? nullptr : a.dgates.data() + 4 * (at + n * f),
        .dgates = a.dgates.data() + 4 * at,
        .dc = a.dc0.data()};
    for_each_panel(panels, f, [&](std::int64_t p, std::int64_t first, std::int64_t units) {
      Buffer<float> sums(step.n * panels.width);
      step.load(first, units, sums.data());
      if (step.dgates_after != nullptr) {
        step.multiply(packed.data() + p * panel_size, sums.data());
      }
      step.finish(first, units, sums.data());
    });
  }
  if (a.dh0.empty()) return;
  gemm(Transpose::no, Transpose::no, n, f, 4 * f, a.dgates.data(), a.w_hh.data(), 0, a.dh0.data());
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(forward_at_level);
HWY_EXPORT(backward_at_level);

void lstm_forward(const LstmShape& shape, const LstmForward& a) {
  TERSE_DISPATCH(forward_at_level)(shape, a);
}
void lstm_backward(const LstmShape& shape, const LstmBackward& a) {
  TERSE_DISPATCH(backward_at_level)(shape, a);
}

}  // namespace terse::kernels
#endif
