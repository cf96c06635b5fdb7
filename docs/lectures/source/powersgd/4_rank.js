/* Scene 4 of the lecture on PowerSGD: How much does rank r keep?. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, sum } = terse.maths;
  const { percent, HEIGHT } = terse.drawing;

  const LAYERS = {
    '0.weight': 'convolution 1',
    '3.weight': 'convolution 2',
    '7.weight': 'linear 1',
    '9.weight': 'linear 2',
    '11.weight': 'linear 3',
  };

  terse.scene({
    id: 'rank',
    title: 'How much does rank r keep?',
    lead: 'Singular values of real gradients of LeNet-5. Filled bars: what the best matrix of rank r keeps.',
    columns: '3fr 2fr',
    command: (data) => data.spectra.command,
    made: '',
    question: 'A fifth of the energy is left out in each step. Why does training not suffer?',
    answer:
      'The gradient of a mini-batch is mostly noise, and the residual brings back what is left out. The ' +
      'energy kept tells how long ' +
      'it waits, not what is lost. The last scene has the accuracies, from real runs.',
    notes: [
      'Move the rank, then the layer and the step. Early gradients have few directions; later, more of ' +
        'them are noise, and the values become flatter.',
      'A step of plain SGD with a constant rate is x − rate · g, so the script takes the gradient from ' +
        'two checkpoints: (x − x′)/rate. ' +
        'It is the mean over four workers, 128 images in all.',
      'Warm: Q from the four gradients before. Cold: Q drawn anew. Both are one iteration of PowerSGD, ' +
        'computed by the script.',
    ],
    build(stage) {
      const { moments } = stage.data.spectra;
      const layer = terse.select(stage.controls, {
        label: 'matrix',
        key: 'rank.layer',
        value: moments[0].tensors.some(({ name }) => name === '7.weight') ? '7.weight' : moments[0].tensors[0].name,
        options: moments[0].tensors.map(({ name, rows, columns }) => ({
          value: name,
          label: `${LAYERS[name] ?? name}, ${rows} × ${columns}`,
        })),
        change: () => update(),
      });
      const moment = terse.segmented(stage.controls, {
        label: 'training step',
        key: 'rank.step',
        options: moments.map(({ step }) => ({ value: String(step), label: format.count(step) })),
        value: String(moments[Math.min(1, moments.length - 1)].step),
        change: () => update(),
      });
      const rank = terse.slider(stage.controls, {
        label: 'rank',
        key: 'rank.rank',
        min: 1,
        max: 8,
        step: 1,
        value: 2,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const chosen = () =>
        moments.find(({ step }) => String(step) === moment.value).tensors.find(({ name }) => name === layer.value);
      const best = (tensor, r) => Math.min(1, sum(tensor.values.slice(0, r).map((s) => s * s)) / tensor.total);
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'singular values of a gradient',
        draw(fig) {
          const tensor = chosen();
          const shown = tensor.values.slice(0, 24);
          const chart = fig.axes({
            x: { bands: shown.map((_, i) => String(i + 1)), label: 'singular value' },
            y: { domain: [0, shown[0] * 1.06], label: 'size' },
            left: 56,
          });
          chart
            .bars(
              shown.map((value, i) => ({
                x: String(i + 1),
                value,
                series: i < rank.value ? 1 : 6,
                tip: format.number(value),
              })),
            )
            .forEach((bar, i) => bar.setAttribute('fill-opacity', i < rank.value ? 1 : 0.3));
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'energy kept by rank: best, PowerSGD warm and cold',
        draw(fig) {
          const tensor = chosen();
          const most = tensor.powersgd.length;
          const chart = fig.axes({
            x: { domain: [0.7, 8.3], label: 'rank', ticks: [1, 2, 3, 4, 5, 6, 7, 8] },
            y: { domain: [0, 1], label: 'energy kept', format: percent },
            left: 58,
          });
          const lines = [
            [range(most, (i) => [i + 1, best(tensor, i + 1)]), 6, 'best'],
            [tensor.powersgd.map(([, warm], i) => [i + 1, warm]), 1, 'warm'],
            [tensor.powersgd.map(([cold], i) => [i + 1, cold]), 0, 'cold'],
          ];
          lines.forEach(([points, series]) => {
            chart.line(points, { series, width: 3, dash: null });
            chart.points(points, { series, r: 4.5 });
          });
          lines.forEach(([, series, name], i) =>
            chart.put(
              'text',
              {
                x: chart.right - 60,
                y: chart.bottom - 62 + 20 * i,
                style: `fill: ${terse.series(series)}; font-weight: 600`,
              },
              name,
            ),
          );
          chart.rule({ x: Math.min(rank.value, most) });
        },
      });
      stage.say('From two checkpoints of this run each, one step apart: (x − x′)/rate.');
      function update() {
        const tensor = chosen();
        const r = Math.min(rank.value, tensor.powersgd.length);
        const dense = tensor.rows * tensor.columns;
        readout.set([
          [percent(best(tensor, r)), 'best'],
          [percent(tensor.powersgd[r - 1][1]), 'warm', 1],
          [`${format.number(dense / Math.min(dense, r * (tensor.rows + tensor.columns)), 2)} ×`, 'smaller'],
        ]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
