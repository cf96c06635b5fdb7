/* One step of PowerSGD, for the scenes that take one: terse.powersgd.aggregate(inputs, q). */
(function (terse) {
  'use strict';

  const { product, transposed, orthonormal, added } = terse.maths;

  // `inputs` are the matrices of the workers. Returns each worker's P and Q, the orthonormal sum of the P, the mean of the
  // Q, and the matrix that all workers decode.
  function aggregate(inputs, q) {
    const p = inputs.map((m) => product(m, q));
    const basis = orthonormal(p.reduce((total, one) => added(total, one)));
    const back = inputs.map((m) => product(transposed(m), basis));
    const mean = back.reduce((total, one) => added(total, one)).map((row) => row.map((value) => value / inputs.length));
    return { p, basis, back, mean, decoded: product(basis, transposed(mean)) };
  }

  terse.powersgd = { aggregate };
})((globalThis.terse ??= {}));
