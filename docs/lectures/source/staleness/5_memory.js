/* Scene 5 of the lecture on staleness: What memory repairs. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { clip, smooth, percent, HEIGHT } = terse.drawing;

  terse.scene({
    id: 'memory',
    title: 'What memory repairs',
    lead: 'Sixteen workers push the largest 10, 1 or 0.1 % of their gradients. Memory keeps the rest for later.',
    command: (data) => data.memory.command,
    made: 'Real runs of this program at one rate, one seed each.',
    question: 'Memory makes small entries arrive late. Is that not staleness once more?',
    answer:
      'It is: an entry that waits is like one of an older model. Top-k delays only small entries, which ' +
      'move the model little; ' +
      'dropping them for ever, as without memory, costs much more.',
    notes: [
      'Compare blue and orange at each ratio. The smaller the ratio, the more it repairs, up to where ' +
        'the delay itself hurts.',
      'x − η Σ m follows the dense recursion exactly, for a constant rate: a test checks it.',
      'The claim of the paper’s later version is that sparse pushes do no harm. At 10 % we find that, ' +
        'with memory, for every W.',
    ],
    build(stage) {
      const { runs } = stage.data.memory;
      const ratios = [...new Set(runs.map((run) => run.ratio).filter(Boolean))];
      const ratio = terse.segmented(stage.controls, {
        label: 'largest entries',
        key: 'memory.ratio',
        value: String(ratios[Math.min(1, ratios.length - 1)]),
        options: ratios.map((value) => ({ value: String(value), label: format.percent(value) })),
        change: () => update(),
      });
      const until = terse.slider(stage.controls, {
        label: 'until push',
        key: 'memory.until',
        min: 100,
        max: runs[0].steps,
        step: 1,
        value: runs[0].steps,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const find = (kept) => runs.find((run) => String(run.ratio) === ratio.value && run.memory === kept);
      const last = (run) => run.accuracy[run.accuracy.length - 1][1];
      const lines = () =>
        [
          [runs[0], null],
          [find(true), 0],
          [find(false), 1],
        ].filter(([run]) => run);
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'training loss over the pushes',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, runs[0].steps], label: 'pushes', format: format.count },
            y: { domain: [0.3, 2], label: 'training loss' },
            left: 46,
            right: 16,
          });
          clip(chart);
          lines().forEach(([run, series]) => {
            const points = smooth(
              run.points.map(([step, loss]) => [step, loss]),
              5,
            );
            const style = series === null ? { color: 'var(--muted)' } : { series, dash: null };
            chart.line(points, { ...style, width: 1 }).setAttribute('opacity', 0.3);
            chart.line(
              points.filter(([step]) => step <= until.value),
              { ...style, width: 4 },
            );
          });
        },
      });
      function update() {
        readout.set([
          [percent(last(runs[0])), 'dense'],
          ...(find(true) ? [[percent(last(find(true))), 'with memory', 0]] : []),
          ...(find(false) ? [[percent(last(find(false))), 'without', 1]] : []),
        ]);
        if (find(true)) stage.command(find(true).command);
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
