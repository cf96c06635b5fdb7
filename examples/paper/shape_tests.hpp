// Tests of the shape of a distribution, on samples: is it symmetric, does it have one mode?
#pragma once

#include <cstdint>
#include <span>

namespace terse::paper {

// sqrt(n) (mean - median) / deviation. For symmetric samples it is about normal with a standard
// deviation of sqrt(pi/2 - 1), exactly so for normal samples: Cabilio and Masaro, Canadian Journal
// of Statistics 24 (1996). 0 if all samples are equal.
double asymmetry(std::span<const double> samples);
// Whether |asymmetry| is beyond what symmetric samples have in 5 % of all cases.
bool rejects_symmetry(double asymmetry);

// The least distance, in probability, between the samples' distribution function and one with a
// single mode: convex up to it, concave behind it. At least 1/(2n). Hartigan and Hartigan, Annals of
// Statistics 13 (1985).
double dip(std::span<const double> samples);

// The dip that 5 % of samples of this size exceed if they are uniform, the least clear of all
// distributions with one mode. By simulation.
double critical_dip(std::size_t samples, std::uint64_t seed);

}  // namespace terse::paper
