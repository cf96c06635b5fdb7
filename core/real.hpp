// The scalar type of core and nn. The library is float; the gradient tests compile the same sources
// once more with TERSE_REAL_DOUBLE into a library of their own, where finite differences are sharp.
#pragma once

namespace terse {

#ifdef TERSE_REAL_DOUBLE
using real = double;
#else
using real = float;
#endif

}  // namespace terse
