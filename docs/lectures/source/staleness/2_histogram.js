/* Scene 2 of the lecture on staleness: The mean is W − 1; the law sets the spread. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, sum, mean } = terse.maths;
  const { clip, percent, HEIGHT } = terse.drawing;

  terse.scene({
    id: 'histogram',
    title: 'The mean is W − 1; the law sets the spread',
    lead: 'Staleness of 40 000 pushes. Line: the geometric law of exponential durations.',
    command: (data) => data.histograms.command,
    made: 'Real runs of this program, a small model, one for each law and W.',
    question: 'Faster computers halve all durations. What happens to staleness?',
    answer:
      'Nothing. Staleness counts updates, not seconds, and all workers became faster alike. Only the ' +
      'number of workers sets its ' +
      'mean, and only the law of the durations its spread.',
    notes: [
      'P(τ = j) = (1/W)(1 − 1/W)ʲ if durations are exponential: every push is equally likely to come ' +
        'from any worker.',
      'The last bar of a wide distribution holds all pushes beyond it. Pareto durations have the longest tail.',
    ],
    build(stage) {
      const { runs } = stage.data.histograms;
      const laws = [...new Set(runs.map((run) => run.law))];
      const law = terse.segmented(stage.controls, {
        label: 'law of durations',
        key: 'histogram.law',
        value: laws[Math.min(2, laws.length - 1)],
        options: laws.map((value) => ({ value, label: value })),
        change: () => update(),
      });
      const workers = terse.slider(stage.controls, {
        label: 'workers W',
        key: 'histogram.workers',
        values: [...new Set(runs.map((run) => run.workers))],
        value: 8,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const chosen = () => runs.find((run) => run.law === law.value && run.workers === workers.value) ?? runs[0];
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'histogram of staleness',
        draw(fig) {
          const run = chosen();
          const total = sum(run.histogram.map(([, count]) => count));
          const last = Math.max(4, run.histogram[run.histogram.length - 1][0]);
          const shares = run.histogram.map(([tau, count]) => [tau, count / total]);
          const geometric = (j) => (1 / run.workers) * (1 - 1 / run.workers) ** j;
          const most = Math.max(...shares.map(([, share]) => share));
          const chart = fig.axes({
            x: { domain: [-0.7, last + 0.7], label: 'staleness τ' },
            y: { domain: [0, most * 1.08], label: 'share of pushes', format: percent },
            left: 62,
            right: 16,
          });
          const width = ((chart.right - chart.left) / (last + 1.4)) * 0.82;
          shares.forEach(([tau, share]) =>
            chart.put('rect', {
              x: chart.x(tau) - width / 2,
              width,
              y: chart.y(share),
              height: Math.max(0.5, chart.bottom - chart.y(share)),
              fill: terse.series(1),
              class: 'bar',
              'data-tip': `${tau}: ${percent(share)}`,
            }),
          );
          clip(chart);
          if (run.law === 'exponential')
            chart.line(
              range(last + 1, (j) => [j, geometric(j)]),
              { color: 'var(--ink)', width: 2.5 },
            );
          chart.rule({ x: run.mean, label: `mean ${format.number(run.mean, 3)}` });
        },
      });
      function update() {
        const run = chosen();
        readout.set([
          [format.number(run.mean, 4), 'mean', 1],
          [String(run.workers - 1), 'W − 1'],
          [format.count(run.most), 'maximum'],
        ]);
        stage.command(run.command);
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
