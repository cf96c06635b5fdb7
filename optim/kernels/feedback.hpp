// Sign packing and the L1 norm in one pass, optionally fused with error feedback.
#pragma once

#include <cstdint>
#include <span>

namespace terse::kernels {

// Sets bit at + i of the plane if x[i] < 0 and returns |x|_1. The caller must zero the plane before
// it packs the first tensor. Bit-identical to pack_negative and norm1.
double pack_signs(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane);

// e = keep (e - pending sign(e)) + g;  sets bit at + i of the plane if e[i] < 0;  returns |e|_1
//
// `keep` is the factor of the residual e, `pending` the scale of a pending subtraction: the last
// packet reconstructs e as pending · sign(e), and subtracting that immediately would take another
// pass over e. sign(e) here is -1 for e < 0 and +1 otherwise. The caller must zero the plane before
// it packs the first tensor. The sum is added in the order of norm1.
double feed_back_signs(std::span<const float> g, float keep, float pending, std::span<float> e,
                       std::int64_t at, std::span<std::uint32_t> plane);

// e = e - pending sign(e): performs the pending subtraction.
void subtract_signs(float pending, std::span<float> e);

}  // namespace terse::kernels
