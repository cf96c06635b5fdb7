/* Scene 1 of the lecture on stochastic sign descent: How often is a sign right?. */
(function (terse) {
  'use strict';

  const { normalCdf } = terse.maths;
  const { curve, dot, percent, HEIGHT } = terse.drawing;

  const ROOT3 = Math.sqrt(3);
  const LAWS = {
    normal: { pdf: (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI), right: normalCdf },
    uniform: {
      pdf: (x) => (Math.abs(x) < ROOT3 ? 1 / (2 * ROOT3) : 0),
      right: (s) => Math.min(1, 0.5 + s / (2 * ROOT3)),
    },
    Laplace: {
      pdf: (x) => Math.exp(-Math.SQRT2 * Math.abs(x)) / Math.SQRT2,
      right: (s) => 1 - 0.5 * Math.exp(-Math.SQRT2 * s),
    },
  };
  const safaryan = (s) => 0.5 + (0.5 * s) / (s + ROOT3);
  const gauss = (s) => (s > 2 / ROOT3 ? 1 - 2 / (9 * s * s) : 0.5 + s / (2 * ROOT3));

  terse.scene({
    id: 'right',
    title: 'How often is a sign right?',
    lead: 'The gradient of one coordinate is S times its noise. Draws below 0 have the wrong sign.',
    columns: '1fr 1fr',
    command: (data) => data.batches.command,
    made: 'Computed in this page from the laws. The program counts right signs on the path of a descent.',
    question: 'A gradient is a tenth of its noise. Is its sign worth a bit?',
    answer:
      'Yes: with normal noise it is right in 54 of 100 cases, and the bound for any unimodal symmetric ' +
      'noise promises 52.7. ' +
      'Descent needs more than one half and no more; many steps, or many voters, do the rest.',
    notes: [
      'S = |g|/σ is the signal-to-noise ratio. Shaded: draws whose sign is wrong.',
      'Solid: this law. Dashed: the bound of the paper, 1/2 + S/(2(S + √3)), for unimodal symmetric ' +
        'noise. Dotted: Gauss’s bound ' +
        'of 1823, which uniform noise attains up to S = 2/√3.',
    ],
    build(stage) {
      const law = terse.segmented(stage.controls, {
        label: 'noise',
        key: 'right.law',
        options: Object.keys(LAWS).map((name) => ({ value: name, label: name })),
        value: 'normal',
        change: () => update(),
      });
      const ratio = terse.slider(stage.controls, {
        label: 'S = |g|/σ',
        key: 'right.ratio',
        min: 0,
        max: 4,
        step: 0.05,
        value: 0.5,
        change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'density of a drawn gradient; draws with the wrong sign are shaded',
        draw(fig) {
          const pdf = (x) => LAWS[law.value].pdf(x - ratio.value);
          const chart = fig.axes({
            x: { domain: [-4, 6], label: 'drawn gradient, in units of σ', ticks: 5 },
            y: { domain: [0, 0.75], label: 'density', ticks: 3 },
            left: 44,
          });
          chart.area(
            curve(pdf, -4, 0, 200).map(([x, y]) => [x, 0, y]),
            { series: 1, opacity: 0.75 },
          );
          chart.area(
            curve(pdf, 0, 6, 200).map(([x, y]) => [x, 0, y]),
            { series: 2, opacity: 0.35 },
          );
          chart.line(curve(pdf, -4, 6, 400), { color: 'var(--ink)', width: 2 });
          chart.rule({ x: ratio.value });
          chart.text(-3.9, 0.68, 'wrong', { class: 'title' });
          chart.text(5.9, 0.68, 'right', { class: 'title', anchor: 'end' });
        },
      });
      const chartView = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'probability of a right sign over the signal-to-noise ratio',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, 4], label: 'S', ticks: 4 },
            y: { domain: [0.5, 1], label: 'P(sign is right)', format: percent },
            left: 56,
          });
          chart.line(curve(gauss, 0, 4), { color: 'var(--muted)', width: 2.5, dash: '2 5' });
          chart.line(curve(safaryan, 0, 4), { series: 3, width: 3, dash: '9 5' });
          chart.line(curve(LAWS[law.value].right, 0, 4), { series: 2, width: 4 });
          chart.text(3.9, safaryan(3.9), 'bound of the paper', { anchor: 'end', dy: 44 });
          dot(chart, ratio.value, LAWS[law.value].right(ratio.value), { series: 2, r: 8 });
          dot(chart, ratio.value, safaryan(ratio.value), { series: 3, r: 6 });
        },
      });
      function update() {
        readout.set([
          [percent(LAWS[law.value].right(ratio.value)), 'right', 2],
          [percent(safaryan(ratio.value)), 'bound', 3],
        ]);
        left.redraw();
        chartView.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
