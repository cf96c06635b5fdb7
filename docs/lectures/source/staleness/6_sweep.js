/* Scene 6 of the lecture on staleness: The same pushes, by more and more workers. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { dot, clip, percent, HEIGHT } = terse.drawing;

  const fraction = (rate) => (rate < 1 ? `1/${Math.round(1 / rate)}` : String(rate));
  const COLOURS = {
    synchronous: 6,
    asynchronous: 0,
    'staleness-aware': 3,
    'top 10 %, memory': 2,
    'top 1 %, memory': 1,
  };

  terse.scene({
    id: 'sweep',
    title: 'The same pushes, by more and more workers',
    lead: 'One epoch of Fashion-MNIST, 1 875 pushes in all; every method at its best rate for each W.',
    columns: '3fr 2fr',
    command: (data) => data.sweep.command,
    made: 'Real runs of this program: a perceptron, 50 890 parameters, one seed.',
    question: 'Synchronous training loses most here. Is asynchrony better?',
    answer:
      'Not by itself: the count is unfair to it. Synchronous training makes W times fewer updates of the ' +
      'same pushes, 29 with 64 ' +
      'workers. What asynchrony buys is that nobody waits; what it costs is the rate.',
    notes: [
      'Choose a method: right, its accuracy by rate for the number of workers of the slider; dashed, the ' +
        'largest stable rate.',
      'Sparse pushes with memory stay beside dense ones up to 16 workers, and lose a little at 64 for 1 %.',
      'Staleness-aware: the rate is divided by the staleness of each push. Rate 1 stays stable with 64 ' +
        'workers, and learns more slowly.',
    ],
    build(stage) {
      const { cells, rates } = stage.data.sweep;
      const methods = [...new Set(cells.map((cell) => cell.method))];
      const counts = [...new Set(cells.map((cell) => cell.workers))];
      const method = terse.select(stage.controls, {
        label: 'method',
        key: 'sweep.method',
        value: methods[methods.length - 1],
        options: methods.map((value) => ({ value, label: value })),
        change: () => update(),
      });
      const workers = terse.slider(stage.controls, {
        label: 'workers W',
        key: 'sweep.workers',
        values: counts,
        value: 16,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const chosen = () =>
        cells.find((cell) => cell.method === method.value && cell.workers === workers.value) ?? cells[0];
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'accuracy at the best rate over the number of workers',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0.9, Math.max(2, ...counts) * 1.1], scale: 'log', ticks: counts, label: 'workers W' },
            y: { domain: [0.74, 0.88], label: 'test accuracy', format: percent },
            left: 58,
            right: 16,
          });
          clip(chart);
          methods.forEach((name) => {
            const here = name === method.value;
            const points = cells.filter((cell) => cell.method === name).map((cell) => [cell.workers, cell.accuracy]);
            chart.line(points, { series: COLOURS[name], width: here ? 5 : 2, dash: null });
            if (here) chart.points(points, { series: COLOURS[name], r: 6 });
          });
          methods.forEach((name, i) =>
            chart.put(
              'text',
              {
                x: chart.left + 12,
                y: chart.bottom - 12 - 20 * (methods.length - 1 - i),
                style: `fill: ${terse.series(COLOURS[name])}; font-weight: 600`,
              },
              name,
            ),
          );
          dot(chart, workers.value, chosen().accuracy, { series: COLOURS[method.value], r: 9 });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'accuracy by rate',
        draw(fig) {
          const all = rates.filter(([name, count]) => name === method.value && count === workers.value);
          const points = all
            .map(([, , exponent, accuracy]) => [2 ** exponent, accuracy ?? 0.1])
            .sort((a, b) => a[0] - b[0]);
          const chart = fig.axes({
            x: { domain: [1 / 300, 5], scale: 'log', label: 'rate', ticks: [1 / 256, 1 / 16, 1, 4], format: fraction },
            y: { domain: [0, 0.9], label: `accuracy, W = ${workers.value}`, format: percent },
            left: 58,
            right: 16,
          });
          chart.line(points, { series: COLOURS[method.value], width: 3, dash: null });
          chart.points(points, { series: COLOURS[method.value], r: 5 });
          chart.rule({ x: chosen().stable_rate });
        },
      });
      function update() {
        const cell = chosen();
        readout.set([
          [percent(cell.accuracy), 'accuracy', COLOURS[method.value]],
          [fraction(cell.best_rate), 'best rate'],
          [fraction(cell.stable_rate), 'largest stable'],
          [format.bytes(cell.push_bytes, 3), 'a push'],
        ]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
