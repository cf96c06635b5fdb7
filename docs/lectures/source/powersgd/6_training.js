/* Scene 6 of the lecture on PowerSGD: Rank, warm start and error feedback in training. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { clip, smooth, percent, HEIGHT } = terse.drawing;

  terse.scene({
    id: 'training',
    title: 'Rank, warm start and error feedback in training',
    lead: 'LeNet-5 on Fashion-MNIST, four workers, three epochs, always with SGD’s rate and momentum.',
    command: (data) => data.training.command,
    made: 'Real runs of this program, one seed each: differences below one point mean little.',
    question: 'Which of the three is indispensable?',
    answer:
      'Error feedback: without it the same directions are left out in every step, and rank 1 loses ten ' +
      'points. A warm start gains two ' +
      'points at rank 1 and nothing at rank 4, where the uncompressed accuracy is reached. The paper ' +
      'reaches it at rank 2 on ResNet-18.',
    notes: [
      'Choose a rank, then take the warm start away, then error feedback. Grey: the uncompressed run at ' +
        'the same rate.',
      'The paper has ResNet-18 on CIFAR-10 with 16 workers: 94.3 % for SGD and 94.4 % for rank 2 ' +
        '(figures quoted from notes, not checked).',
    ],
    build(stage) {
      const { runs } = stage.data.training;
      const ranks = [...new Set(runs.map((run) => run.rank).filter(Boolean))];
      const rank = terse.segmented(stage.controls, {
        label: 'rank',
        key: 'training.rank',
        value: '1',
        options: ranks.map((value) => ({ value: String(value), label: String(value) })),
        change: () => update(),
      });
      const variant = terse.segmented(stage.controls, {
        label: 'variant',
        key: 'training.variant',
        value: 'full',
        change: () => update(),
        options: [
          { value: 'full', label: 'warm, feedback' },
          { value: 'cold', label: 'cold start' },
          { value: 'bare', label: 'no feedback' },
        ],
      });
      const readout = stage.readout();
      const dense = runs.find((run) => !run.rank);
      const find = (kind) =>
        runs.find(
          (run) =>
            String(run.rank) === rank.value && run.warm === (kind !== 'cold') && run.feedback === (kind !== 'bare'),
        );
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'training loss over the steps',
        draw(fig) {
          const last = dense.points[dense.points.length - 1][0];
          const chart = fig.axes({
            x: { domain: [0, last], label: 'step', format: format.count },
            y: { domain: [0, 2], label: 'training loss' },
            left: 42,
            right: 16,
          });
          clip(chart);
          const draw = (run, style) =>
            chart.line(
              smooth(
                run.points.map(([step, loss]) => [step, loss]),
                4,
              ),
              style,
            );
          draw(dense, { color: 'var(--muted)', width: 3 });
          ['full', 'cold', 'bare'].forEach((kind, i) => {
            const run = find(kind);
            if (run && kind !== variant.value)
              draw(run, { series: [0, 2, 1][i], width: 1.5, dash: null }).setAttribute('opacity', 0.4);
          });
          const run = find(variant.value);
          if (run) draw(run, { series: { full: 0, cold: 2, bare: 1 }[variant.value], width: 4, dash: null });
          else chart.text(last / 2, 1, 'This combination was not run.', { anchor: 'middle', class: 'title' });
        },
      });
      function update() {
        const run = find(variant.value);
        const accuracy = (one) => (one ? percent(one.accuracy[one.accuracy.length - 1][1]) : '–');
        readout.set([
          [accuracy(run), 'test accuracy', { full: 0, cold: 2, bare: 1 }[variant.value]],
          [accuracy(dense), 'uncompressed'],
          [run ? `${format.number(dense.packet_bytes / run.packet_bytes, 2)} ×` : '–', 'smaller'],
        ]);
        if (run) stage.command(run.command);
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
