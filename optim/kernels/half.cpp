#include "optim/kernels/half.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "optim/kernels/lanes.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::kernels {
namespace {

constexpr Lanes kFloats;
constexpr hn::Repartition<std::int32_t, decltype(kFloats)> kWords;
constexpr hn::Rebind<std::uint16_t, decltype(kFloats)> kHalves;
using Floats = hn::Vec<decltype(kFloats)>;
using Words = hn::Vec<decltype(kWords)>;

HWY_INLINE Words all(std::int32_t word) {
  return hn::Set(kWords, word);
}

// Line by line what the inline functions do. (GCC does not vectorise those: to it, a float's sum
// that is not wanted could trap.)
HWY_INLINE Words to_fp16(Floats x) {
  const Words bits = hn::BitCast(kWords, x), magnitude = hn::And(bits, all(0x7fffffff));
  const Words sign = hn::And(hn::ShiftRight<16>(bits), all(0x8000));
  const Words last = hn::And(hn::ShiftRight<13>(magnitude), all(1));
  const Words normal =
      hn::ShiftRight<13>(hn::Add(hn::Add(magnitude, all(0xfff - (112 << 23))), last));
  const Floats sum = hn::Add(hn::BitCast(kFloats, magnitude), hn::Set(kFloats, 0.5F));
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
  const Floats small = hn::Mul(hn::ConvertTo(kFloats, magnitude), hn::Set(kFloats, 0x1p-24F));
  Words bits = hn::IfThenElse(hn::Lt(magnitude, all(0x400)), hn::BitCast(kWords, small), normal);
  bits = hn::IfThenElse(hn::Gt(magnitude, all(0x7bff)), hn::Add(normal, all(112 << 23)), bits);
  return hn::BitCast(kFloats, hn::Or(sign, bits));
}

// vector(i) for as many values from i on as there are lanes, rest(i) for one.
template <class Vector, class Rest>
void for_each_vector(std::int64_t n, Vector vector, Rest rest) {
  constexpr std::int64_t kLanes = hn::MaxLanes(kFloats);
  parallel_for(n, kGrain, [=](std::int64_t begin, std::int64_t end) {
    auto i = begin;
    for (; i + kLanes <= end; i += kLanes) vector(i);
    for (; i < end; ++i) rest(i);
  });
}

}  // namespace

void to_fp16(std::span<const float> x, std::span<std::uint16_t> halves) {
  internal_check(x.size() == halves.size(), "fp16: {} values, {} halves", x.size(), halves.size());
  const auto* from = x.data();
  auto* to = halves.data();
  for_each_vector(
      std::ssize(x),
      [=](std::int64_t i) {
        const Words half = to_fp16(hn::LoadU(kFloats, from + i));
        hn::StoreU(hn::DemoteTo(kHalves, half), kHalves, to + i);
      },
      [=](std::int64_t i) { to[i] = to_fp16(from[i]); });
}

void add_fp16(std::span<const std::uint16_t> halves, float weight, std::span<float> out) {
  internal_check(out.size() == halves.size(), "fp16: {} halves, {} values", halves.size(),
                 out.size());
  const auto* from = halves.data();
  auto* to = out.data();
  for_each_vector(
      std::ssize(out),
      [=](std::int64_t i) {
        const Floats value = from_fp16(hn::PromoteTo(kWords, hn::LoadU(kHalves, from + i)));
        const Floats sum = hn::MulAdd(hn::Set(kFloats, weight), value, hn::LoadU(kFloats, to + i));
        hn::StoreU(sum, kFloats, to + i);
      },
      [=](std::int64_t i) { to[i] += weight * from_fp16(from[i]); });
}

void add_bf16(std::span<const std::uint16_t> halves, float weight, std::span<float> out) {
  internal_check(out.size() == halves.size(), "bf16: {} halves, {} values", halves.size(),
                 out.size());
  parallel_for(std::ssize(out), kGrain, [=](std::int64_t begin, std::int64_t end) {
    const auto* from = halves.data();
    auto* to = out.data();
    for (auto i = begin; i < end; ++i) to[i] += weight * from_bf16(from[i]);
  });
}

}  // namespace terse::kernels
