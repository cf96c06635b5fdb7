/* Scene 5 of the lecture on stochastic sign descent: SSDM settles at the median, not at the mean. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, mean, random } = terse.maths;
  const { curve, dot, HEIGHT } = terse.drawing;

  const NODES = { rate: 0.01, beta: 0.9, steps: 1500, start: 2, noise: 0.2 };

  // x over the steps of SGD, SSDM and SSDM with norms on f_n = (x − a_n)²/2. In one dimension a stochastic sign is the sign.
  function nodePaths(minimisers) {
    return [0, 1, 2].map((method) => {
      const draws = random(31);
      const momenta = minimisers.map((a) => NODES.start - a);
      let x = NODES.start;
      return range(NODES.steps + 1, (step) => {
        const now = x;
        const moves = minimisers.map((a, n) => {
          const gradient = now - a + NODES.noise * draws.normal();
          momenta[n] = NODES.beta * momenta[n] + (1 - NODES.beta) * gradient;
          return method === 0 ? gradient : method === 1 ? Math.sign(momenta[n]) : momenta[n];
        });
        x -= NODES.rate * mean(moves);
        return [step, now];
      });
    });
  }

  terse.scene({
    id: 'median',
    title: 'SSDM settles at the median, not at the mean',
    lead: 'Three nodes, fₙ = (x − aₙ)²/2, with minima at 0, 0 and a. All contribute steps of one length.',
    columns: '3fr 2fr',
    command: (data) => data.median.command,
    made: '',
    question: 'The third node moves to a = 1 000 000. Where does SSDM settle?',
    answer:
      'At 0, where it was: each node pulls with a force of length 1, and two of three pull to 0. The ' +
      'mean moves to 333 333. ' +
      'If all nodes share one minimum, as in the counter-example, median and mean agree, and SSDM finds it.',
    notes: [
      'Right: what each method follows. The gradient crosses zero at the mean; the sum of unit forces ' +
        'crosses it at the median.',
      'With norms (the worker sends ‖m‖ as well, 32 bits more) the forces have their lengths again, and ' +
        'the mean is reached.',
      'The theorem of the paper needs every node’s gradient to be unbiased for the same f. In version 6 ' +
        '(June 2026) the authors withdrew the claim for nodes with different data and added a result on ' +
        'this limitation.',
      'The rate and form of SSDM that we use are reconstructed from notes on the paper; that it stalls ' +
        'here was derived and measured by us.',
    ],
    build(stage) {
      let paths;
      const names = ['SGD', 'SSDM', 'SSDM with norms'];
      const third = terse.slider(stage.controls, {
        label: 'third minimum a',
        key: 'median.third',
        min: 0,
        max: 6,
        step: 0.25,
        value: 3,
        change: () => update(),
      });
      paths = nodePaths([0, 0, third.value]);
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'x over the steps of three methods',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, NODES.steps], label: 'step', ticks: 5 },
            y: { domain: [-0.5, 3], label: 'x' },
            left: 40,
            right: 74,
          });
          const average = third.value / 3;
          [
            [average, 'mean'],
            [0, 'median'],
          ].forEach(([y, name]) => {
            chart.line(
              [
                [0, y],
                [NODES.steps, y],
              ],
              { color: 'var(--muted)', dash: '7 5', width: 1.5 },
            );
            if (name === 'median' || average > 0.2) chart.text(NODES.steps, y, name, { dx: 8 });
          });
          [0, 2, 1].forEach((i) =>
            chart.line(
              paths[i].filter((_, k) => k % 5 === 0),
              { series: i, width: i === 1 ? 4 : 2.5, dash: null },
            ),
          );
        },
      });
      const forces = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'the gradient and the sum of unit forces over x',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [-1, 6.5], label: 'x', ticks: [0, 2, 4, 6] },
            y: { domain: [-2, 2], label: 'force' },
            left: 40,
          });
          chart.line(
            [
              [-1, 0],
              [6.5, 0],
            ],
            { color: 'var(--ink)', width: 1 },
          );
          chart.line(
            curve((x) => x - third.value / 3, -1, 6.5).map(([x, y]) => [x, Math.abs(y) <= 2 ? y : null]),
            { series: 0, width: 3 },
          );
          const a = third.value;
          chart.line(
            [
              [-1, -1],
              [0, -1],
              [0, 1 / 3],
              [a, 1 / 3],
              [a, 1],
              [6.5, 1],
            ],
            { series: 1, width: 3, dash: null },
          );
          dot(chart, a / 3, 0, { series: 0, r: 8 });
          dot(chart, 0, 0, { series: 1, r: 8 });
        },
      });
      const gradient = Object.fromEntries(stage.data.median.methods.map((one) => [one.method, one.gradient]));
      stage.say(
        `Computed in this page. |∇f| that the program reaches: ssdm ${gradient.ssdm}, ` +
          `ssdm:scaled ${gradient['ssdm:scaled']}, sgd ${gradient.sgd}.`,
      );
      function update() {
        paths = nodePaths([0, 0, third.value]);
        readout.set(
          names.map((name, i) => [format.number(mean(paths[i].slice(-200).map(([, x]) => x)) + 0, 2), name, i]),
        );
        left.redraw();
        forces.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
