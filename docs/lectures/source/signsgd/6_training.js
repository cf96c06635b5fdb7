/* Scene 6 of the lecture on signSGD: The same loss for a thirtieth of the bytes. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { smooth, HEIGHT } = terse.drawing;

  terse.scene({
    id: 'training',
    title: 'The same loss for a thirtieth of the bytes',
    lead: 'LeNet-5 on Fashion-MNIST, four workers, six epochs, each method with its recommended rate.',
    command: (data) => data.training.command,
    made: 'Real runs of this program, one seed for each method.',
    question: 'The vote sends 32 times fewer bits. When is training 32 times as fast?',
    answer:
      'Only if the network is all that costs time. Where gradients take longer to compute than to send, the step ' +
      'hardly becomes shorter: with four workers in one machine the gain is small, on a slow network it ' +
      'is nearly all of the 32.',
    notes: [
      'The axis is the number of bytes that one worker has sent, with headers and forwarding, on a ' +
        'logarithmic scale.',
      'Accuracies are those of the last epoch that ends within the budget. The vote uses the momentum ' +
        '0.9 before the sign (Signum).',
      'Error feedback sends twice what the vote sends here: its packets are gathered, because their scales differ.',
    ],
    build(stage) {
      const { runs } = stage.data.training;
      const budget = terse.slider(stage.controls, {
        label: 'budget of a worker',
        key: 'training.budget',
        min: 1e5,
        max: 1.2e9,
        scale: 'log',
        value: 6e7,
        format: (value) => format.bytes(value, 2),
        change: () => update(),
      });
      const readout = stage.readout();
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'training loss over bytes sent',
        draw(fig) {
          const chart = fig.axes({
            x: {
              domain: [1e5, 1.2e9],
              scale: 'log',
              label: 'bytes sent by a worker',
              format: (value) => format.bytes(value, 2),
            },
            y: { domain: [0, 2.4], label: 'training loss' },
            left: 42,
          });
          runs.forEach((run, i) => {
            const points = smooth(
              run.points.map(([, loss, bytes]) => [bytes, loss]),
              3,
            );
            chart.line(points, { series: i, width: 1.5, dash: null }).setAttribute('opacity', 0.4);
            chart.line(
              points.filter(([bytes]) => bytes <= budget.value),
              { series: i, width: 4, dash: null },
            );
          });
          chart.rule({ x: budget.value });
        },
      });
      function update() {
        readout.set(
          runs.map((run, i) => {
            const within = run.accuracy.filter(([, , bytes]) => bytes <= budget.value);
            return [within.length ? format.percent(within[within.length - 1][1]) : '–', run.name, i];
          }),
        );
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
