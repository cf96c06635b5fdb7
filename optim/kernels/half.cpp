#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/optim/kernels/half.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/optim/kernels/half.hpp"

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

constexpr hn::Repartition<std::int32_t, Lanes> kWords;
constexpr hn::Rebind<std::uint16_t, Lanes> kHalves;
using Floats = FloatVector;
using Words = hn::Vec<decltype(kWords)>;

HWY_INLINE Words all(std::int32_t word) {
  return hn::Set(kWords, word);
}

// The vector versions of the inline functions, line by line. GCC does not vectorise the scalar
// functions, because a floating-point addition whose result is not selected could trap.
HWY_INLINE Words to_fp16(Floats x) {
  const Words bits = hn::BitCast(kWords, x), magnitude = hn::And(bits, all(0x7fffffff));
  const Words sign = hn::And(hn::ShiftRight<16>(bits), all(0x8000));
  const Words last = hn::And(hn::ShiftRight<13>(magnitude), all(1));
  const Words normal =
      hn::ShiftRight<13>(hn::Add(hn::Add(magnitude, all(0xfff - (112 << 23))), last));
  const Floats sum = hn::Add(hn::BitCast(kLanes, magnitude), hn::Set(kLanes, 0.5F));
  const Words small = hn::Sub(hn::BitCast(kWords, sum), all(std::bit_cast<std::int32_t>(0.5F)));
  Words half = hn::IfThenElse(hn::Lt(magnitude, all(113 << 23)), small, normal);
  half = hn::IfThenElse(hn::Gt(magnitude, all(0x477fefff)), all(0x7c00), half);
  half = hn::IfThenElse(hn::Gt(magnitude, all(0x7f800000)), all(0x7e00), half);
  return hn::Or(sign, half);
}

HWY_INLINE Floats from_fp16(Words half) {
  const Words magnitude = hn::And(half, all(0x7fff));
  const Words sign = hn::ShiftLeft<16>(hn::Xor(half, magnitude));
  const Words normal = hn::Add(hn::ShiftLeft<13>(magnitude), all(112 << 23));
  const Floats small = hn::Mul(hn::ConvertTo(kLanes, magnitude), hn::Set(kLanes, 0x1p-24F));
  Words bits = hn::IfThenElse(hn::Lt(magnitude, all(0x400)), hn::BitCast(kWords, small), normal);
  bits = hn::IfThenElse(hn::Gt(magnitude, all(0x7bff)), hn::Add(normal, all(112 << 23)), bits);
  return hn::BitCast(kLanes, hn::Or(sign, bits));
}

}  // namespace

void to_fp16_at_level(const float* from, std::int64_t n, std::uint16_t* to) {
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const Words half = to_fp16(hn::LoadU(kLanes, from + i));
    hn::StoreU(hn::DemoteTo(kHalves, half), kHalves, to + i);
  }
  for (; i < n; ++i) to[i] = kernels::to_fp16(from[i]);
}

void add_fp16_at_level(const std::uint16_t* from, float weight, std::int64_t n, float* to) {
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const Floats value = from_fp16(hn::PromoteTo(kWords, hn::LoadU(kHalves, from + i)));
    const Floats term = hn::Mul(hn::Set(kLanes, weight), value);
    hn::StoreU(hn::Add(hn::LoadU(kLanes, to + i), term), kLanes, to + i);
  }
  for (; i < n; ++i) to[i] += weight * kernels::from_fp16(from[i]);
}

void add_rounded_fp16_at_level(const std::uint16_t* from, std::int64_t n, std::uint16_t* to) {
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const Floats a = from_fp16(hn::PromoteTo(kWords, hn::LoadU(kHalves, to + i)));
    const Floats b = from_fp16(hn::PromoteTo(kWords, hn::LoadU(kHalves, from + i)));
    hn::StoreU(hn::DemoteTo(kHalves, to_fp16(hn::Add(a, b))), kHalves, to + i);
  }
  for (; i < n; ++i) {
    to[i] = kernels::to_fp16(kernels::from_fp16(to[i]) + kernels::from_fp16(from[i]));
  }
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(to_fp16_at_level);
HWY_EXPORT(add_fp16_at_level);
HWY_EXPORT(add_rounded_fp16_at_level);

void to_fp16(std::span<const float> x, std::span<std::uint16_t> halves) {
  internal_check(x.size() == halves.size(),
                 "fp16: expected one half per value; got {} values and {} halves", x.size(),
                 halves.size());
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    TERSE_DISPATCH(to_fp16_at_level)(x.data() + begin, end - begin, halves.data() + begin);
  });
}

void add_fp16(std::span<const std::uint16_t> halves, float weight, std::span<float> out) {
  internal_check(out.size() == halves.size(),
                 "fp16: expected one value per half; got {} halves and {} values", halves.size(),
                 out.size());
  parallel_for(std::ssize(out), kGrain, [&](std::int64_t begin, std::int64_t end) {
    TERSE_DISPATCH(add_fp16_at_level)
    (halves.data() + begin, weight, end - begin, out.data() + begin);
  });
}

void add_bf16(std::span<const std::uint16_t> halves, float weight, std::span<float> out) {
  internal_check(out.size() == halves.size(),
                 "bf16: expected one value per half; got {} halves and {} values", halves.size(),
                 out.size());
  const auto* from = halves.data();
  auto* to = out.data();
  vectorized_for(std::ssize(out), kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) to[i] += weight * from_bf16(from[i]);
  });
}

void to_bf16(std::span<const float> x, std::span<std::uint16_t> halves) {
  internal_check(x.size() == halves.size(),
                 "bf16: expected one half per value; got {} values and {} halves", x.size(),
                 halves.size());
  const auto* from = x.data();
  auto* to = halves.data();
  vectorized_for(std::ssize(x), kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) to[i] = to_bf16(from[i]);
  });
}

void add_rounded_fp16(std::span<const std::uint16_t> halves, std::span<std::uint16_t> sum) {
  internal_check(sum.size() == halves.size(), "fp16: expected two equal lengths; got {} and {}",
                 halves.size(), sum.size());
  parallel_for(std::ssize(sum), kGrain, [&](std::int64_t begin, std::int64_t end) {
    TERSE_DISPATCH(add_rounded_fp16_at_level)
    (halves.data() + begin, end - begin, sum.data() + begin);
  });
}

void add_rounded_bf16(std::span<const std::uint16_t> halves, std::span<std::uint16_t> sum) {
  internal_check(sum.size() == halves.size(), "bf16: expected two equal lengths; got {} and {}",
                 halves.size(), sum.size());
  const auto* from = halves.data();
  auto* to = sum.data();
  vectorized_for(std::ssize(sum), kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) to[i] = to_bf16(from_bf16(to[i]) + from_bf16(from[i]));
  });
}

}  // namespace terse::kernels
#endif
