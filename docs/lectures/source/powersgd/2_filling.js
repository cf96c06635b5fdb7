/* Scene 2 of the lecture on PowerSGD: P and Q fill, and add up over workers. */
(function (terse) {
  'use strict';

  const { range, norm, random, transposed, added, flat, rowsOf } = terse.maths;
  const { aggregate } = terse.powersgd;
  const { matrix, atLeast, percent } = terse.drawing;

  const STAGES = ['gradients', 'Q', 'P = M Q', 'sum, orthonormal', 'Q = Mᵀ P', 'mean', 'P Qᵀ'];
  const LEADS = [
    'Two workers, two matrices.',
    'All workers hold the same Q: the one of the step before.',
    'Each worker multiplies: a thin matrix P.',
    'All-reduce adds the P of all workers; its columns become orthonormal.',
    'Each worker multiplies back: a thin matrix Q.',
    'All-reduce averages Q.',
    'Every worker decodes the same matrix, as if the mean gradient had been compressed.',
  ];

  terse.scene({
    id: 'filling',
    title: 'P and Q fill, and add up over workers',
    lead: LEADS[0],
    columns: 'minmax(0, 1fr)',
    command: (data) => data.filling.command,
    made: 'The matrices are those of --seed 1 and 2. The first Q is drawn, and the step computed, in this page.',
    question: 'Why can PowerSGD be all-reduced, and top-k cannot?',
    answer:
      'M Q is linear in M: the sum of the workers’ P is the P of the sum. Every worker selects other ' +
      'coordinates in top-k, so their ' +
      'packets must all be gathered, and traffic grows with the number of workers.',
    notes: [
      'Step through it. Then change the rank: at rank 4 the 4 × 6 matrix is exact.',
      'What is sent: P with n r and Q with m r values instead of n m. Tensors of one dimension are sent ' +
        'uncompressed.',
    ],
    build(stage) {
      const workers = stage.data.filling.workers.map(({ input }) => rowsOf(input, 6));
      const step = terse.stepper(stage.controls, {
        label: 'step',
        key: 'filling.step',
        min: 0,
        max: 6,
        value: 0,
        format: (i) => STAGES[i],
        change: () => update(),
      });
      step.node.querySelector('output').style.minWidth = '150px';
      const rank = terse.segmented(stage.controls, {
        label: 'rank',
        key: 'filling.rank',
        options: ['1', '2', '3', '4'].map((value) => ({ value, label: value })),
        value: '2',
        change: () => update(),
      });
      const readout = stage.readout();
      const draws = random(4);
      const start = range(6, () => range(4, () => draws.normal()));
      const result = () =>
        aggregate(
          workers,
          start.map((row) => row.slice(0, Number(rank.value))),
        );
      const view = terse.figure(stage.figures, {
        height: 272,
        label: 'two gradient matrices, the factors P and Q of each worker, and the decoded matrix',
        draw(fig) {
          atLeast(fig, 872);
          const r = Number(rank.value);
          const q = start.map((row) => row.slice(0, r));
          const all = result();
          const cell = [30, 27];
          const empty = (n) => range(n, () => range(r, () => null));
          const s = step.value;
          workers.forEach((m, w) => {
            const y = 24 + w * 134;
            matrix(fig, m, { x: 0, y, cell, most: 2.2, title: `worker ${w + 1}: M`, dim: () => s === 6 });
            const sent = s < 1 ? empty(6) : s < 4 ? q : s === 4 ? all.back[w] : all.mean;
            matrix(fig, transposed(sent), {
              x: 226,
              y,
              cell,
              most: s < 4 ? 2 : 3.5,
              title: s < 4 ? 'Qᵀ of the last step' : s === 4 ? 'Qᵀ, its own' : 'Qᵀ, the mean',
            });
            matrix(fig, s < 2 ? empty(4) : s === 2 ? all.p[w] : all.basis, {
              x: 460,
              y,
              cell,
              most: s === 2 ? 5 : 1,
              title: s < 3 ? 'P' : 'P, orthonormal',
            });
          });
          if (s === 3 || s === 5) fig.add('text', { x: s === 3 ? 606 : 410, y: 146, class: 'huge' }, '⇅');
          const mean = added(workers[0], workers[1]).map((row) => row.map((value) => value / 2));
          matrix(fig, s === 6 ? all.decoded : range(4, () => range(6, () => null)), {
            x: 690,
            y: 24,
            cell,
            most: 1.6,
            title: 'P Qᵀ',
          });
          matrix(fig, mean, { x: 690, y: 158, cell, most: 1.6, title: 'mean gradient', dim: () => s < 6 });
        },
      });
      const lead = stage.lead;
      function update() {
        const r = Number(rank.value);
        const mean = added(workers[0], workers[1]).map((row) => row.map((value) => value / 2));
        const share = 1 - norm(flat(added(mean, result().decoded, -1))) ** 2 / norm(flat(mean)) ** 2;
        readout.set([
          [`${Math.min(24, 10 * r)} of 24`, r < 3 ? 'values are sent' : 'values: no gain'],
          [step.value === 6 ? percent(share) : '–', 'of the energy kept', 1],
        ]);
        lead(LEADS[step.value]);
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
