/* Scene 1 of the lecture on PowerSGD: A power iteration turns to the long axis. */
(function (terse) {
  'use strict';

  const { range, sum, norm, transposed, product, flat } = terse.maths;
  const { dot, clip, power, percent, HEIGHT } = terse.drawing;

  // M maps the unit circle to an ellipse with half-axes 1 and `ratio`; its long axis has the angle 0.6, its source 1.1.
  function ellipseMatrix(ratio) {
    const turn = (angle) => [
      [Math.cos(angle), -Math.sin(angle)],
      [Math.sin(angle), Math.cos(angle)],
    ];
    return product(
      product(turn(0.6), [
        [1, 0],
        [0, ratio],
      ]),
      transposed(turn(1.1)),
    );
  }

  // The unit vectors q and p = M q of `steps` power iterations: q is M^T p, normalised.
  function iterations(m, steps) {
    const column = (v) => v.map((value) => [value]);
    const unit = (rows) => {
      const v = flat(rows);
      return v.map((value) => value / norm(v));
    };
    let q = [Math.cos(1.1 + 1.45), Math.sin(1.1 + 1.45)];
    return range(steps + 1, () => {
      const image = flat(product(m, column(q)));
      const now = { q, image, p: unit(column(image)) };
      q = unit(product(transposed(m), column(now.p)));
      return now;
    });
  }

  terse.scene({
    id: 'ellipse',
    title: 'A power iteration turns to the long axis',
    lead: 'M maps the circle to an ellipse. Each step p = M q, q = Mᵀ p turns q towards what M stretches most.',
    columns: '3fr 2fr',
    command: () => 'explain powersgd:rank=1 --shape 4x6',
    made: 'Computed in this page for a 2 × 2 matrix. The program shows one such step of a 4 × 6 matrix, byte by byte.',
    question: 'What does one iteration cost, compared with an SVD, and why is one enough?',
    answer:
      'Two products with thin matrices: 4 n m r operations. PowerSGD starts each step from the Q of the ' +
      'step before. Gradients ' +
      'change slowly, so the iteration continues over the steps of training.',
    notes: [
      'Step, then make the ellipse rounder and step again: the angle to the long axis falls by (s₂/s₁)² ' +
        'each time, the missing energy ' +
        'by the square of that.',
      'With equal singular values the iteration does not turn at all. That is harmless: every direction ' +
        'is then as good.',
    ],
    build(stage) {
      const MOST = 8;
      const step = terse.stepper(stage.controls, {
        label: 'iteration',
        key: 'ellipse.step',
        min: 0,
        max: MOST,
        value: 0,
        play: 900,
        change: () => update(),
      });
      const ratio = terse.slider(stage.controls, {
        label: 's₂/s₁',
        key: 'ellipse.ratio',
        min: 0.05,
        max: 1,
        step: 0.05,
        value: 0.6,
        change: () => update(),
      });
      const readout = stage.readout();
      let all = iterations(ellipseMatrix(ratio.value), MOST);
      const kept = (k) =>
        sum(
          flat(
            product(
              transposed(ellipseMatrix(ratio.value)),
              all[k].p.map((v) => [v]),
            ),
          ).map((v) => v * v),
        ) /
        (1 + ratio.value ** 2);
      const plane = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'the unit circle with q, and the ellipse M maps it to with M q',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [-1.2, 4.3], ticks: [] },
            y: { domain: [-1.25, 1.25], ticks: [] },
            left: 8,
            top: 8,
            bottom: 8,
            right: 8,
          });
          fig.root.querySelectorAll('.axes line').forEach((line) => line.remove());
          const unit = chart.x(1) - chart.x(0);
          const flatten = (x, y) => [x, (y * unit) / (chart.y(0) - chart.y(1))];
          const m = ellipseMatrix(ratio.value);
          const turn = range(91, (i) => [Math.cos((i * Math.PI) / 45), Math.sin((i * Math.PI) / 45)]);
          const at = (centre, [x, y]) => {
            const [a, b] = flatten(x, y);
            return [centre + a, b];
          };
          const image = ([x, y]) => [m[0][0] * x + m[0][1] * y, m[1][0] * x + m[1][1] * y];
          chart.line(
            turn.map((v) => at(0, v)),
            { color: 'var(--line)', width: 2 },
          );
          chart.line(
            turn.map((v) => at(3.1, image(v))),
            { color: 'var(--line)', width: 2 },
          );
          [
            [0, [Math.cos(1.1), Math.sin(1.1)]],
            [3.1, [Math.cos(0.6), Math.sin(0.6)]],
          ].forEach(([centre, axis]) => {
            chart.line(
              [
                at(
                  centre,
                  axis.map((v) => -1.15 * v),
                ),
                at(
                  centre,
                  axis.map((v) => 1.15 * v),
                ),
              ],
              { color: 'var(--muted)', dash: '6 5', width: 1.5 },
            );
          });
          for (let k = 0; k <= step.value; ++k) {
            const last = k === step.value;
            const before = fig.root.querySelectorAll('.arrow').length;
            chart.arrow(at(0, [0, 0]), at(0, all[k].q), { series: 0, width: last ? 4 : 1.5 });
            chart.arrow(at(3.1, [0, 0]), at(3.1, all[k].image), { series: 1, width: last ? 4 : 1.5 });
            if (!last)
              [...fig.root.querySelectorAll('.arrow')]
                .slice(before)
                .forEach((line) => line.setAttribute('opacity', 0.35));
          }
          chart.text(
            ...at(
              0,
              all[step.value].q.map((v) => 1.15 * v),
            ),
            'q',
            { class: 'title', anchor: 'middle' },
          );
          chart.text(
            ...at(
              3.1,
              all[step.value].image.map((v) => 1.12 * v),
            ),
            'M q',
            { class: 'title', anchor: 'middle', dx: 12 },
          );
          chart.text(1.55, 0, 'M →', { class: 'huge', anchor: 'middle' });
        },
      });
      const errors = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'energy that is missing to the best rank 1, over the iterations',
        draw(fig) {
          const best = 1 / (1 + ratio.value ** 2);
          const points = range(MOST + 1, (k) => [k, Math.max(1e-9, best - kept(k))]);
          const chart = fig.axes({
            x: { domain: [0, MOST], label: 'iteration' },
            y: { domain: [1e-6, 1], scale: 'log', label: 'energy short of the best rank 1', format: power },
            left: 56,
            right: 16,
          });
          clip(chart);
          chart.line(points, { series: 1, width: 3, dash: null });
          chart.points(points, { series: 1, r: 5 });
          dot(chart, step.value, Math.max(1e-6, points[step.value][1]), { series: 1, r: 10 });
        },
      });
      function update() {
        all = iterations(ellipseMatrix(ratio.value), MOST);
        readout.set([
          [percent(kept(step.value)), 'of the energy of M in p', 1],
          [percent(1 / (1 + ratio.value ** 2)), 'best rank 1'],
        ]);
        plane.redraw();
        errors.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
