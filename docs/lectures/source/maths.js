/*
 * What the scenes compute with, in terse.maths:
 *   random(seed)              a generator: next() in [0, 1), normal(), exponential(); a run repeats with its seed
 *   normalCdf(z), binomial(n, k, p), voteSuccess(rho, workers)
 *   range(n, f), sum(list), norm(list), mean(list)
 *   matrices are arrays of rows: product(a, b), added(a, b, factor) = a + factor·b, transposed(a), flat(a), rowsOf(values,
 *   columns), orthonormal(a) (its columns; dependent ones become zero)
 */
(function (terse) {
  'use strict';

  const range = (n, f = (i) => i) => Array.from({ length: n }, (_, i) => f(i));
  const sum = (list) => list.reduce((total, value) => total + value, 0);
  const norm = (list) => Math.sqrt(sum(list.map((value) => value * value)));
  const mean = (list) => sum(list) / list.length;

  // The generator mulberry32.
  function random(seed) {
    let state = seed >>> 0;
    const next = () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const exponential = () => -Math.log(1 - next());
    const normal = () => Math.sqrt(2 * exponential()) * Math.cos(2 * Math.PI * next());
    return { next, normal, exponential };
  }

  // Abramowitz and Stegun 7.1.26, error below 1.5e-7.
  function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - tail * Math.exp(-x * x));
  }
  const normalCdf = (z) => 0.5 * (1 + erf(z / Math.SQRT2));

  const logFactorials = [0];
  function logFactorial(n) {
    for (let i = logFactorials.length; i <= n; ++i) logFactorials.push(logFactorials[i - 1] + Math.log(i));
    return logFactorials[n];
  }

  function binomial(n, k, p) {
    if (p <= 0 || p >= 1) return Number(k === (p <= 0 ? 0 : n));
    return Math.exp(
      logFactorial(n) - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log(1 - p),
    );
  }

  // I(rho; l, l), the regularised incomplete beta function for l = floor((M + 1) / 2): P(Bin(2l - 1, rho) >= l).
  function voteSuccess(rho, workers) {
    const l = Math.floor((workers + 1) / 2);
    return sum(range(l, (i) => binomial(2 * l - 1, l + i, rho)));
  }

  const transposed = (a) => range(a[0].length, (c) => a.map((row) => row[c]));
  const product = (a, b) => a.map((row) => range(b[0].length, (c) => sum(row.map((value, k) => value * b[k][c]))));

  const added = (a, b, factor = 1) => a.map((row, r) => row.map((value, c) => value + factor * b[r][c]));
  const flat = (rows) => rows.flat();
  const rowsOf = (values, columns) =>
    range(values.length / columns, (r) => values.slice(r * columns, (r + 1) * columns));

  function orthonormal(a) {
    const basis = [];
    for (const column of transposed(a)) {
      let rest = column;
      for (let pass = 0; pass < 2; ++pass) {
        for (const other of basis) {
          const share = sum(rest.map((value, i) => value * other[i]));
          rest = rest.map((value, i) => value - share * other[i]);
        }
      }
      const length = norm(rest);
      basis.push(rest.map((value) => (length > 1e-9 * norm(column) ? value / length : 0)));
    }
    return transposed(basis);
  }

  terse.maths = {
    range,
    sum,
    norm,
    mean,
    random,
    normalCdf,
    binomial,
    voteSuccess,
    transposed,
    product,
    added,
    flat,
    rowsOf,
    orthonormal,
  };
})((globalThis.terse ??= {}));
