/* Scene 3 of the lecture on stochastic sign descent: Skewed noise misleads signs; batches mend it. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, sum, mean, binomial } = terse.maths;
  const { dot, percent, HEIGHT } = terse.drawing;

  const SKEW = { up: 4, down: -1, chance: 0.2, deviation: 2 };

  // P(sign of the batch mean is right) for the gradient g > 0: the batch has K draws of `up`, K binomial.
  function batchRight(g, batch) {
    const [gap, least] = [SKEW.up - SKEW.down, -(g + SKEW.down)];
    return sum(range(batch + 1, (k) => ((gap * k) / batch > least + 1e-12 ? binomial(batch, k, SKEW.chance) : 0)));
  }
  const cantelli = (g, batch) => 1 - 1 / (1 + batch * (g / SKEW.deviation) ** 2);

  terse.scene({
    id: 'skew',
    title: 'Skewed noise misleads signs; batches mend it',
    lead: 'Noise of mean 0: −1 in four of five draws, +4 in one. Most draws point the wrong way.',
    columns: '5fr 5fr 4fr',
    command: (data) => data.batches.command,
    made: 'Left and middle: exact, computed in this page. Right: real runs of this program, by --batch.',
    question: 'Would more voters help instead of a larger batch?',
    answer:
      'No. Each vote is wrong with probability 0.8, and a majority of such votes is wrong almost surely. ' +
      'The average within a ' +
      'worker must come before its sign.',
    notes: [
      'Left: where the average of a batch can fall, and how likely. Orange is the wrong side.',
      'Middle: the bound by Cantelli, 1 − 1/(1 + τ S²), holds for every noise. It passes one half at τ = ' +
        '1/S², where S = g/2. The ' +
        'true probability does so earlier; it falls back where one more of the rare draws is needed.',
      'Right: on Rosenbrock’s function a gradient of one term is wrong for most coordinates, a larger ' +
        'batch is right more often.',
    ],
    build(stage) {
      const batch = terse.slider(stage.controls, {
        label: 'batch τ',
        key: 'skew.batch',
        values: [1, 2, 4, 8, 16, 32, 64, 128],
        value: 1,
        format: format.count,
        change: () => update(),
      });
      const slope = terse.slider(stage.controls, {
        label: 'gradient g',
        key: 'skew.gradient',
        min: 0.1,
        max: 0.9,
        step: 0.1,
        value: 0.5,
        change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'distribution of the average of a batch',
        draw(fig) {
          const outcomes = range(batch.value + 1, (k) => [
            slope.value + SKEW.down + (5 * k) / batch.value,
            binomial(batch.value, k, SKEW.chance),
          ]);
          const most = Math.max(...outcomes.map(([, p]) => p));
          const chart = fig.axes({
            x: { domain: [-1.2, 5.2], label: 'average of the batch', ticks: [-1, 0, 1, 2, 3, 4, 5] },
            y: { domain: [0, most * 1.08], label: 'probability', ticks: 3 },
            left: 44,
          });
          const width = Math.max(2.5, Math.min(18, ((chart.right - chart.left) / ((6.4 * batch.value) / 5)) * 0.7));
          outcomes.forEach(([x, p]) =>
            chart.put('rect', {
              x: chart.x(x) - width / 2,
              width,
              y: chart.y(p),
              height: chart.bottom - chart.y(p),
              fill: terse.series(x > 1e-9 ? 2 : 1),
              'data-tip': percent(p),
            }),
          );
          chart.rule({ x: 0 });
          chart.put('path', { d: `M${chart.x(slope.value)} ${chart.bottom - 2}l-7 -12h14z`, fill: 'var(--ink)' });
        },
      });
      const middle = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'probability of a right sign over the batch',
        draw(fig) {
          const batches = range(128, (i) => i + 1);
          const chart = fig.axes({
            x: { domain: [1, 128], scale: 'log', label: 'batch τ', ticks: [1, 4, 16, 64] },
            y: { domain: [0, 1], label: 'P(sign is right)', format: percent },
            left: 56,
            right: 16,
          });
          chart.rule({ y: 0.5 });
          chart.line(
            batches.map((b) => [b, cantelli(slope.value, b)]),
            { series: 3, width: 2.5, dash: '9 5' },
          );
          chart.line(
            batches.map((b) => [b, batchRight(slope.value, b)]),
            { series: 2, width: 2.5, dash: null },
          );
          chart.text(120, 0.1, 'dashed: bound', { anchor: 'end', class: '' });
          dot(chart, batch.value, batchRight(slope.value, batch.value), { series: 2, r: 9 });
        },
      });
      terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'right signs on Rosenbrock’s function by batch',
        draw(fig) {
          const runs = stage.data.batches.runs;
          const chart = fig.axes({
            x: { bands: runs.map((run) => String(run.batch)), label: '--batch' },
            y: { domain: [0, 1], label: 'right signs, Rosenbrock', format: percent },
            left: 54,
          });
          chart.bars(
            runs.map((run) => ({
              x: String(run.batch),
              value: mean(run.points.map(([, , share]) => share)),
              series: 5,
            })),
          );
          chart.rule({ y: 0.5 });
        },
      });
      function update() {
        readout.set([
          [percent(batchRight(slope.value, batch.value)), 'right', 2],
          [percent(Math.max(0, cantelli(slope.value, batch.value))), 'bound', 3],
        ]);
        left.redraw();
        middle.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
