/* Scene 4 of the lecture on stochastic sign descent: A random sign whose mean is the gradient. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { norm, random } = terse.maths;
  const { dot, HEIGHT } = terse.drawing;

  // Means of 1 … most draws of ‖g‖·ssign(g) at the numbers in `counts`.
  function meansOfDraws(g, counts, seed) {
    const length = norm(g);
    const draws = random(seed);
    const total = g.map(() => 0);
    const found = new Map();
    for (let n = 1; n <= counts[counts.length - 1]; ++n) {
      g.forEach((value, i) => {
        total[i] += draws.next() < 0.5 + value / (2 * length) ? length : -length;
      });
      if (counts.includes(n))
        found.set(
          n,
          total.map((value) => value / n),
        );
    }
    return found;
  }

  terse.scene({
    id: 'unbiased',
    title: 'A random sign whose mean is the gradient',
    lead: 'P(+) = 1/2 + gᵢ/(2‖g‖). Times ‖g‖ its mean is exactly g: one bit each, and no bias.',
    columns: '3fr 2fr',
    command: (data) => data.draw.command,
    made: 'The gradient is that of this packet; the draws are made in this page.',
    question: 'A model has ten million coordinates. How good is one draw?',
    answer:
      'Its squared error is d − 1 times ‖g‖²: almost pure noise. It is unbiased, so an average over ' +
      'steps and workers ' +
      'removes the noise, but it takes of the order of d draws. SSDM therefore smooths by momentum before the sign.',
    notes: [
      'Grey: the gradient. Orange: the mean of N draws. With N = 1 every bar has the length ‖g‖.',
      'Right: measured relative error and √((d − 1)/N), both exact statements about this compressor; a ' +
        'law test checks them.',
    ],
    build(stage) {
      const g = stage.data.draw.input;
      const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
      const means = meansOfDraws(g, counts, 21);
      const error = (n) => norm(means.get(n).map((value, i) => value - g[i])) / norm(g);
      const number = terse.slider(stage.controls, {
        label: 'draws N',
        key: 'unbiased.draws',
        values: counts,
        value: 1,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'a gradient and the mean of N stochastic signs',
        draw(fig) {
          const most = norm(g) * 1.08;
          const chart = fig.axes({
            x: { bands: g.map((_, i) => String(i + 1)), label: 'coordinate' },
            y: { domain: [-most, most] },
            left: 44,
            top: 8,
          });
          chart
            .bars(
              g.map((value, i) => ({ x: String(i + 1), value, color: 'var(--series-7)' })),
              { width: 0.8 },
            )
            .forEach((bar) => bar.setAttribute('fill-opacity', 0.4));
          chart.bars(
            means.get(number.value).map((value, i) => ({ x: String(i + 1), value, series: 1 })),
            { width: 0.36 },
          );
          chart.line(
            [
              ['1', 0],
              [String(g.length), 0],
            ],
            { color: 'var(--muted)', width: 1 },
          );
        },
      });
      const chartView = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'relative error over the number of draws',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [1, 4096], scale: 'log', label: 'draws N', ticks: [1, 16, 256, 4096], format: format.count },
            y: { domain: [0.01, 5], scale: 'log', label: 'relative error' },
            left: 52,
            right: 22,
          });
          chart.line(
            [1, 4096].map((n) => [n, Math.sqrt((g.length - 1) / n)]),
            { color: 'var(--muted)', dash: '8 5', width: 2 },
          );
          chart.points(
            counts.map((n) => [n, error(n)]),
            { series: 1, r: 5 },
          );
          dot(chart, number.value, error(number.value), { series: 1, r: 10 });
          chart.text(1.3, 0.02, 'dashed: √((d − 1)/N)', { class: '' });
        },
      });
      function update() {
        readout.set([
          [format.number(error(number.value), 2), 'relative error', 1],
          [format.number(Math.sqrt((g.length - 1) / number.value), 2), 'expected'],
        ]);
        left.redraw();
        chartView.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
