// The scalar type of core and nn. The library uses float. The gradient tests compile the same
// sources with TERSE_REAL_DOUBLE into a library of their own, since finite differences need double
// precision.
#pragma once

namespace terse {

#ifdef TERSE_REAL_DOUBLE
using real = double;
#else
using real = float;
#endif

}  // namespace terse
