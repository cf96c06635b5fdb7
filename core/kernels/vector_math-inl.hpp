// Exponential functions of float vectors. The stated errors are bounds over all arguments; tests
// check them. For files that are compiled once for each level (core/simd/dispatch.hpp).
#if defined(TERSE_CORE_KERNELS_VECTOR_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_CORE_KERNELS_VECTOR_MATH_INL
#undef TERSE_CORE_KERNELS_VECTOR_MATH_INL
#else
#define TERSE_CORE_KERNELS_VECTOR_MATH_INL
#endif

#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

// eˣ with a relative error of at most 2e-7; 0 below -87.3, e⁸⁸ above 88; NaN stays NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r = 1 + r + r² q(r), where q interpolates
// (e^r - 1 - r) / r² at the Chebyshev nodes of that interval. The interpolation contributes a
// relative error of 1e-8, so rounding dominates.
HWY_INLINE FloatVector exp(FloatVector x) {
  constexpr Lanes d;
  constexpr hn::RebindToSigned<Lanes> bits;
  const auto all = [](float value) { return hn::Set(Lanes(), value); };
  // Min with a NaN operand differs between architectures; a comparison does not.
  const FloatVector clamped = hn::IfThenElse(hn::Gt(x, all(88.0F)), all(88.0F), x);
  // Adding 1.5 · 2²³ rounds to an integer and leaves it in the low bits of the sum.
  const FloatVector magic = all(12582912.0F);
  const FloatVector shifted = hn::MulAdd(clamped, all(1.44269504F), magic);
  const FloatVector n = hn::Sub(shifted, magic);
  FloatVector r = hn::NegMulAdd(n, all(0.693145751953125F), clamped);  // ln 2, split in two
  r = hn::NegMulAdd(n, all(1.42860677e-6F), r);
  FloatVector q = hn::MulAdd(all(0.0013926176F), r, all(0.008363173F));
  q = hn::MulAdd(q, r, all(0.04166655466F));
  q = hn::MulAdd(q, r, all(0.16666577026F));
  q = hn::MulAdd(q, r, all(0.5F));
  const FloatVector e_r = hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), all(1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(bits, shifted));
  const auto two_n = hn::Add(exponent, hn::BitCast(bits, all(1.0F)));
  return hn::IfThenZeroElse(hn::Lt(x, all(-87.3F)), hn::Mul(e_r, hn::BitCast(d, two_n)));
}

// 1 / (1 + e⁻ˣ) with an absolute error of at most 1.2e-7.
HWY_INLINE FloatVector sigmoid(FloatVector x) {
  const FloatVector one = hn::Set(Lanes(), 1.0F);
  return hn::Div(one, hn::Add(one, exp(hn::Neg(x))));
}

// sign(x) (1 - e) / (1 + e) with e = e^{-2|x|}; the absolute error is at most 2e-7.
HWY_INLINE FloatVector tanh(FloatVector x) {
  const FloatVector one = hn::Set(Lanes(), 1.0F);
  const FloatVector e = exp(hn::Mul(hn::Set(Lanes(), -2.0F), hn::Abs(x)));
  return hn::CopySign(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x);
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
