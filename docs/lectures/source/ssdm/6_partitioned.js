/* Scene 6 of the lecture on stochastic sign descent: Real training, with the data sorted by label. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { smooth, percent, HEIGHT } = terse.drawing;

  terse.scene({
    id: 'partitioned',
    title: 'Real training, with the data sorted by label',
    lead: 'LeNet-5 on Fashion-MNIST. By label: each of four workers has images of a few classes.',
    command: (data) => data.partitioned.command,
    made: 'Real runs of this program, one seed for each method.',
    question: 'Why does error feedback survive what ruins the vote?',
    answer:
      'A class that one worker of four knows never has a majority, so the votes move the model away from ' +
      'it. Error feedback keeps what a sign has ' +
      'left out and sends it later: in the long run every worker’s gradient arrives with its length.',
    notes: [
      'Switch the partition. Percentages: test accuracy after the last epoch until this step. On ' +
        'shuffled data all methods learn; by label, vote and SSDM fall behind and error feedback does not.',
      'This is the neural-network form of the last scene. SSDM with norms is not shown: its variance of ' +
        'd − 1 leaves no useful rate ' +
        'for 61 706 coordinates.',
    ],
    build(stage) {
      const { runs } = stage.data.partitioned;
      const steps = Math.max(...runs.map((run) => run.steps));
      const partition = terse.segmented(stage.controls, {
        label: 'data of the workers',
        key: 'partitioned.data',
        value: 'by-label:2',
        change: () => update(),
        options: [
          { value: 'iid', label: 'shuffled' },
          { value: 'by-label:2', label: 'by label' },
        ],
      });
      const until = terse.slider(stage.controls, {
        label: 'until step',
        key: 'partitioned.step',
        min: 50,
        max: steps,
        step: 1,
        value: steps,
        format: format.count,
        change: () => update(),
      });
      const chosen = () => runs.filter((run) => run.partition === partition.value);
      const reached = (run) => {
        const evaluations = run.accuracy.filter(([step]) => step <= until.value);
        return evaluations.length ? percent(evaluations[evaluations.length - 1][1]) : '';
      };
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'training loss over the steps',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, steps], label: 'step', format: format.count },
            y: { domain: [0, 2.5], label: 'training loss' },
            left: 42,
            right: 256,
          });
          const ends = [];
          chosen().forEach((run, i) => {
            const points = smooth(
              run.points.map(([step, loss]) => [step, Math.min(2.5, loss)]),
              3,
            );
            chart.line(points, { series: i, width: 1.25, dash: null }).setAttribute('opacity', 0.35);
            chart.line(
              points.filter(([step]) => step <= until.value),
              { series: i, width: 4, dash: null },
            );
            ends.push([points[points.length - 1], `${run.name} ${reached(run)}`, i]);
          });
          ends.sort((a, b) => b[0][1] - a[0][1]);
          let lowest = -Infinity;
          ends.forEach(([[x, y], name, i]) => {
            lowest = Math.max(lowest + 19, chart.y(y));
            chart.put(
              'text',
              { x: chart.x(x) + 10, y: lowest + 5, style: `fill: ${terse.series(i)}; font-weight: 600` },
              name,
            );
          });
        },
      });
      function update() {
        view.redraw();
      }
    },
  });
})((globalThis.terse ??= {}));
