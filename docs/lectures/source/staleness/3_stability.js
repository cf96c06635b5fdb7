/* Scene 3 of the lecture on staleness: Staleness lowers the largest stable rate. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { curve, dot, clip, percent, HEIGHT } = terse.drawing;

  const MAP = { most: 24, steps: 300 };

  // The largest stable η·h for f = h x²/2 and a constant staleness τ: z^(τ+1) − z^τ + η h = 0 has its roots in the disc.
  const limit = (tau) => 2 * Math.sin(Math.PI / (2 * (2 * tau + 1)));

  function delayed(rate, tau) {
    const x = [1];
    for (let t = 0; t < MAP.steps; ++t) x.push(x[t] - rate * (t >= tau ? x[t - tau] : x[0]));
    return x;
  }

  terse.scene({
    id: 'stability',
    title: 'Staleness lowers the largest stable rate',
    lead: 'On f = h x²/2, a constant staleness τ is stable only for η h < 2 sin(π/(4τ + 2)).',
    columns: '5fr 5fr 4fr',
    command: (data) => data.sweep.command,
    made: '',
    question: 'The workers become ten times as many. What must the rate do?',
    answer:
      'Near the limit it must fall about tenfold: for large τ the limit is π/(2τ). On real training the ' +
      'price is smaller, because ' +
      'staleness is spread and the rate falls during training: on the right the limit falls less than ' +
      'tenfold from 1 to 64 workers.',
    notes: [
      'Pull η h across the line. Just below it the iterate oscillates with a period of about 4τ + 2 ' +
        'steps and shrinks slowly.',
      'Right: real training of a perceptron, test accuracy by rate (a power of two) and number of ' +
        'workers. Empty cells have not learned, or follow one that has not.',
      'The limit is exact for a constant staleness and one curvature; a network has many curvatures, the ' +
        'largest counts.',
    ],
    build(stage) {
      const tau = terse.slider(stage.controls, {
        label: 'staleness τ',
        key: 'stability.tau',
        min: 0,
        max: MAP.most,
        step: 1,
        value: 7,
        format: format.count,
        change: () => update(),
      });
      const rate = terse.slider(stage.controls, {
        label: 'η h',
        key: 'stability.rate',
        min: 0.02,
        max: 2.2,
        scale: 'log',
        value: 0.15,
        change: () => update(),
      });
      const readout = stage.readout();
      const map = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'the map of stable rates over staleness',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, MAP.most], label: 'staleness τ' },
            y: { domain: [0.02, 2.2], scale: 'log', label: 'η h', ticks: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2] },
            left: 46,
          });
          const line = curve(limit, 0, MAP.most, 240);
          chart.area(
            line.map(([x, y]) => [x, 0.02, y]),
            { series: 2, opacity: 0.28 },
          );
          chart.area(
            line.map(([x, y]) => [x, y, 2.2]),
            { series: 1, opacity: 0.22 },
          );
          chart.line(line, { color: 'var(--ink)', width: 2.5 });
          chart.text(MAP.most * 0.66, 0.75, 'diverges', { class: 'title', anchor: 'middle' });
          chart.text(MAP.most * 0.3, 0.034, 'converges', { class: 'title', anchor: 'middle' });
          dot(chart, tau.value, rate.value, { series: rate.value < limit(tau.value) ? 2 : 1, r: 9 });
        },
      });
      const path = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'x over the updates',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, MAP.steps], label: 'update', ticks: 4 },
            y: { domain: [-2, 2], label: 'x', ticks: [-2, -1, 0, 1, 2] },
            left: 34,
          });
          clip(chart);
          const points = delayed(rate.value, tau.value).map((x, t) => [t, Math.max(-1e6, Math.min(1e6, x))]);
          chart.line(points, { series: rate.value < limit(tau.value) ? 2 : 1, width: 2.5, dash: null });
        },
      });
      terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'test accuracy by rate and number of workers',
        draw(fig) {
          const rows = stage.data.sweep.rates.filter(([method]) => method === 'asynchronous');
          const exponents = [...new Set(rows.map(([, , exponent]) => exponent))].sort((a, b) => b - a);
          const counts = [...new Set(rows.map(([, workers]) => workers))];
          const chart = fig.axes({
            x: { bands: counts.map(String), label: 'workers W' },
            y: { bands: exponents.map((e) => (e < 0 ? `1/${2 ** -e}` : String(2 ** e))), label: 'accuracy by rate' },
            left: 52,
            right: 0,
          });
          const [width, height] = [chart.band, (chart.bottom - chart.top) / exponents.length];
          rows
            .filter(([, , , accuracy]) => accuracy)
            .forEach(([, workers, exponent, accuracy]) =>
              chart.put('rect', {
                x: chart.x(String(workers)) - width / 2,
                y: chart.top + height * exponents.indexOf(exponent),
                width: width - 1.5,
                height: height - 1.5,
                fill: terse.series(2),
                'fill-opacity': 0.15 + 0.85 * Math.max(0, (accuracy - 0.5) / 0.38),
                'data-tip': percent(accuracy),
              }),
            );
        },
      });
      stage.say('Left and middle: computed in this page. Right: real runs, accuracy by rate; darker is better.');
      function update() {
        readout.set([
          [format.number(limit(tau.value), 3), 'limit of η h'],
          [rate.value < limit(tau.value) ? 'stable' : 'diverges', '', rate.value < limit(tau.value) ? 2 : 1],
        ]);
        map.redraw();
        path.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
