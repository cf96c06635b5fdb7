/* Scene 3 of the lecture on signSGD: Where the noise is sparse, the sign wins. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, mean, random } = terse.maths;
  const { clip, power, HEIGHT } = terse.drawing;

  const TOY = { size: 100, steps: 10000, noise: 100, rates: [0.001, 0.01] };

  // The squares of one coordinate every 100 steps, of SGD and of the sign with the same noise.
  function walk(start, deviation, draws) {
    const x = [start, start];
    const squares = [[], []];
    for (let step = 0; step <= TOY.steps; ++step) {
      if (step % 100 === 0) x.forEach((value, i) => squares[i].push(value * value));
      const error = deviation > 0 ? deviation * draws.normal() : 0;
      x[0] -= TOY.rates[0] * (x[0] + error);
      x[1] -= TOY.rates[1] * Math.sign(x[1] + error);
    }
    return squares;
  }

  // f over the steps of SGD and of the sign; noise of total deviation 100 is on `noisy` of the 100 coordinates. At least
  // 40 noisy coordinates are simulated, so that few of them are averages, too.
  function densityRun(noisy) {
    const draws = random(7);
    const starts = range(TOY.size, () => draws.normal());
    const copies = Math.ceil(40 / noisy);
    const curves = range(2, () => range(TOY.steps / 100 + 1, (i) => [100 * i, 0]));
    starts.forEach((start, i) =>
      range(i < noisy ? copies : 1, () => {
        const squares = walk(start, i < noisy ? TOY.noise / Math.sqrt(noisy) : 0, draws);
        squares.forEach((list, k) =>
          list.forEach((square, t) => {
            curves[k][t][1] += (0.5 * square) / (i < noisy ? copies : 1);
          }),
        );
      }),
    );
    return curves;
  }

  // What f settles at: SGD at rate·σ²/(2(2 − rate)), the sign at k·rate·s·√(π/2)/4 for k coordinates of deviation s.
  const floors = (noisy) => [
    (TOY.rates[0] * TOY.noise ** 2) / (2 * (2 - TOY.rates[0])),
    (Math.sqrt(noisy) * TOY.rates[1] * TOY.noise * Math.sqrt(Math.PI / 2)) / 4,
  ];

  terse.scene({
    id: 'density',
    title: 'Where the noise is sparse, the sign wins',
    lead: 'f = ‖x‖²/2 in 100 dimensions. The same total noise is on one coordinate, on some, or on all.',
    columns: '3fr 2fr',
    command: (data) => data.density.command,
    made: 'Left: computed in this page. Right: measured by the program on LeNet-5 and Fashion-MNIST.',
    question: 'One coordinate is a hundred times as noisy as all others. Whom does it hurt more?',
    answer:
      'SGD: its steps have the length of the noise, so one bad coordinate limits the rate of all. The ' +
      'sign is wrong in that ' +
      'coordinate half of the time and right in all others: the damage stays where the noise is.',
    notes: [
      'density φ(v) = ‖v‖₁²/(d‖v‖₂²): 1/d for one coordinate, 1 for equal ones, 2/π for a normal vector.',
      'Dashed: the level at which f settles. For SGD it does not depend on the number of noisy ' +
        'coordinates; for the sign it ' +
        'grows with its square root, and they meet at 64. One noisy coordinate mixes slowly: 10 000 ' +
        'steps are hardly enough.',
      'Right: signs suit a model whose gradient is at least as dense as its noise. In LeNet-5 both ' +
        'become sparse, and the gradient ' +
        'more than the noise: theory promises no gain here. The last scene shows that the vote trains it ' +
        'all the same.',
    ],
    build(stage) {
      let curves = [];
      const noisy = terse.slider(stage.controls, {
        label: 'noisy coordinates of 100',
        key: 'density.noisy',
        values: [1, 2, 4, 8, 16, 32, 64, 100],
        value: 1,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'f over the steps of SGD and of the sign',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, TOY.steps], label: 'step', format: format.count, ticks: 5 },
            y: { domain: [0.1, 100], scale: 'log', label: 'f', format: power },
            left: 52,
          });
          clip(chart);
          floors(noisy.value).forEach((level, i) =>
            chart.line(
              [
                [0, level],
                [TOY.steps, level],
              ],
              { series: i, dash: '6 5', width: 1.5 },
            ),
          );
          curves.forEach((points, i) => chart.line(points, { series: i, width: 3, dash: null }));
        },
      });
      terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'density of gradient and noise by epoch',
        draw(fig) {
          const epochs = stage.data.density.epochs;
          const chart = fig.axes({
            x: { domain: [-0.2, epochs.length - 0.3], label: 'epoch', ticks: epochs.map(({ epoch }) => epoch) },
            y: { domain: [0, 0.75], label: 'density φ, LeNet-5', ticks: 4 },
            left: 40,
          });
          chart.line(
            [
              [-0.2, 2 / Math.PI],
              [epochs.length - 0.3, 2 / Math.PI],
            ],
            { color: 'var(--muted)', dash: '2 4' },
          );
          chart.text(epochs.length - 0.3, 2 / Math.PI, 'normal vector', { anchor: 'end', dy: -6, class: 'small' });
          [
            ['gradient', 2],
            ['noise', 3],
          ].forEach(([name, series], k) => {
            chart.line(
              epochs.map((one) => [one.epoch, one[name]]),
              { series, width: 2.5, dash: null },
            );
            chart.points(
              epochs.map((one) => [one.epoch, one[name]]),
              { series, r: 5 },
            );
            const last = epochs[epochs.length - 1];
            chart.text(last.epoch, last[name], name, { dx: 10, dy: k ? -2 : 12, anchor: 'start' });
          });
        },
      });
      function update() {
        curves = densityRun(noisy.value);
        readout.set(
          ['SGD', 'sign']
            .map((name, i) => [
              format.number(mean(curves[i].slice(-20).map(([, f]) => f)), 2),
              `f at the end, ${name}`,
              i,
            ])
            .concat([[format.number(noisy.value / TOY.size), 'density of the noise']]),
        );
        left.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
