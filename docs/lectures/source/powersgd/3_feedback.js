/* Scene 3 of the lecture on PowerSGD: What is left out returns. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, norm, random, added, flat, rowsOf } = terse.maths;
  const { aggregate } = terse.powersgd;
  const { matrix, atLeast, dot, percent, HEIGHT } = terse.drawing;

  const FEEDBACK_STEPS = 40;

  // PowerSGD of rank 1 on a gradient that stays the same, with or without error feedback.
  function feedbackRun(g, feedback) {
    const zero = g.map((row) => row.map(() => 0));
    const draws = random(8);
    let [q, residual, total] = [range(g[0].length, () => [draws.normal()]), zero, zero];
    return range(FEEDBACK_STEPS, (t) => {
      const input = feedback ? added(g, residual) : g;
      const one = aggregate([input], q);
      q = one.mean;
      const before = residual;
      residual = added(input, one.decoded, -1);
      total = added(total, one.decoded);
      const error = norm(flat(total.map((row, r) => row.map((value, c) => value / (t + 1) - g[r][c])))) / norm(flat(g));
      return { before, input, sent: one.decoded, residual, error };
    });
  }

  terse.scene({
    id: 'feedback',
    title: 'What is left out returns',
    lead: 'Rank 1 sends one direction a step. The residual waits, grows, and is sent when it has become large.',
    columns: '5fr 3fr',
    command: () => 'explain powersgd:rank=1+ef --shape 4x6 --step 3',
    made: 'Computed in this page for a gradient that stays the same. The program prints packet and residual of any step.',
    question: 'The residual never becomes zero. Why is it harmless?',
    answer:
      'It stays bounded: sent + residual = gradient + residual before, exactly. Summed over t steps, ' +
      'everything but one residual has ' +
      'been sent, so the error of the mean falls with 1/t. Without error feedback the same part is lost ' +
      'in every step.',
    notes: [
      'Step slowly through the first ten: the pattern that is sent changes, because the residual has ' +
        'grown in another direction.',
      'Right: error of the mean of all that was sent. With error feedback it falls like 1/t; without it, ' +
        'it stays at the error of rank 1.',
      'The law tests check sent + residual = input for every compressor. PowerSGD has no contraction δ ' +
        'that holds for every matrix: ' +
        'that its residual stays bounded is seen here and in training, and not proved.',
    ],
    build(stage) {
      const g = rowsOf(stage.data.filling.workers[0].input, 6);
      const runs = [true, false].map((kept) => feedbackRun(g, kept));
      const step = terse.stepper(stage.controls, {
        label: 'step',
        key: 'feedback.step',
        min: 1,
        max: FEEDBACK_STEPS,
        value: 1,
        play: 500,
        change: () => update(),
      });
      const kept = terse.checkbox(stage.controls, {
        label: 'error feedback',
        key: 'feedback.kept',
        value: true,
        change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: 283,
        label: 'gradient, residual before, what is sent and the residual after a step',
        draw(fig) {
          atLeast(fig, 500);
          const now = runs[kept.value ? 0 : 1][step.value - 1];
          const cell = [29, 25];
          const nothing = g.map((row) => row.map(() => (kept.value ? 0 : null)));
          const [a, b] = [0, 290];
          matrix(fig, g, { x: a, y: 24, cell, most: 4, title: 'gradient' });
          matrix(fig, kept.value ? now.before : nothing, {
            x: b,
            y: 24,
            cell,
            most: 4,
            title: kept.value ? 'residual before' : 'no residual',
          });
          fig.add('text', { x: 232, y: 86, class: 'huge', 'text-anchor': 'middle' }, '+');
          fig.add('text', { x: 232, y: 226, class: 'huge', 'text-anchor': 'middle' }, '+');
          matrix(fig, now.sent, { x: a, y: 166, cell, most: 4, title: '=  sent, of rank 1' });
          matrix(fig, now.residual, {
            x: b,
            y: 166,
            cell,
            most: 4,
            title: kept.value ? 'residual, kept for later' : 'lost',
          });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'error of the mean of all sent matrices',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [1, FEEDBACK_STEPS], scale: 'log', label: 'steps t', ticks: [1, 2, 5, 10, 20, 40] },
            y: { domain: [0.02, 1.5], scale: 'log', label: 'error of the mean sent' },
            left: 52,
            right: 18,
          });
          [1, 0].forEach((i) => {
            const chosen = (i === 0) === kept.value;
            chart.line(
              runs[i].map(({ error }, t) => [t + 1, error]),
              { series: i ? 0 : 1, width: chosen ? 4 : 2, dash: null },
            );
          });
          const i = kept.value ? 0 : 1;
          dot(chart, step.value, runs[i][step.value - 1].error, { series: i ? 0 : 1, r: 9 });
        },
      });
      function update() {
        const now = runs[kept.value ? 0 : 1][step.value - 1];
        readout.set([
          [
            format.number(norm(flat(now.residual)) / norm(flat(g)), 2),
            kept.value ? 'residual/gradient' : 'lost/gradient',
          ],
          [percent(now.error), 'error of the mean sent', kept.value ? 1 : 0],
        ]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
