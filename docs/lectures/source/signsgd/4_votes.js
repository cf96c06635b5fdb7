/* Scene 4 of the lecture on signSGD: A majority vote removes noise. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { mean } = terse.maths;
  const { HEIGHT } = terse.drawing;

  terse.scene({
    id: 'votes',
    title: 'A majority vote removes noise',
    lead: 'M workers send signs, the server returns the sign of the majority: one bit up, one bit down.',
    columns: '3fr 2fr',
    command: (data) => data.votes.command,
    made: 'Averages over ten runs of this program for each M.',
    question: 'What do twice as many workers gain, compared with averaging gradients?',
    answer:
      'For symmetric noise about the same: the effect of the noise falls with 1/√M, as in a mean, with a ' +
      'thirty-second ' +
      'of the traffic. Without symmetry the vote may not gain at all: it estimates the median.',
    notes: [
      'Rosenbrock’s function in ten dimensions. One gradient has 4 of the 9 terms, and noise of deviation 1.',
      'Right signs: average over the coordinates at this point of the path. They become fewer in the ' +
        'valley, because ' +
        'gradients are small there. That is where more voters count.',
      '15 and 27 workers end alike: there the constant rate sets the floor. An odd M never ties. With ' +
        'ties counted as plus, an even M drifts upwards; the program draws a shared random sign.',
    ],
    build(stage) {
      const { runs } = stage.data.votes;
      const workers = terse.slider(stage.controls, {
        label: 'workers M',
        key: 'votes.workers',
        values: runs.map((run) => run.workers),
        value: 9,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const chosen = () => runs.find((run) => run.workers === workers.value) ?? runs[0];
      const last = runs[0].points.length - 1;
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'f over the steps by number of workers',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, runs[0].points[last][0]], label: 'step', format: format.count, ticks: 4 },
            y: {
              domain: terse.extent(
                runs.flatMap((run) => run.points.map(([, f]) => f)),
                { log: true },
              ),
              scale: 'log',
              label: 'f, Rosenbrock',
            },
            left: 56,
          });
          for (const run of runs) chart.line(run.points, { color: 'var(--line)', width: 2 });
          chart.line(chosen().points, { series: 1, width: 4 });
          chart.points(chosen().points, { series: 1, r: 5 });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'share of right signs along the path, by number of workers',
        draw(fig) {
          const chart = fig.axes({
            x: { bands: runs.map((run) => String(run.workers)), label: 'workers M' },
            y: { domain: [0.5, 1], label: 'right signs, average of the path', format: format.percent },
            left: 52,
          });
          runs.forEach((run) =>
            chart.bars([
              {
                x: String(run.workers),
                from: 0.5,
                value: mean(run.points.map(([, , right]) => right)),
                series: run === chosen() ? 1 : 6,
              },
            ]),
          );
          fig.root
            .querySelectorAll('.bar')
            .forEach((bar, i) => bar.setAttribute('fill-opacity', runs[i] === chosen() ? 1 : 0.35));
        },
      });
      function update() {
        const run = chosen();
        readout.set([
          [format.number(run.points[last][1], 2), 'f at the end', 1],
          [format.percent(mean(run.points.map(([, , right]) => right)), 3), 'right signs'],
        ]);
        stage.command(run.command);
        left.redraw();
        right.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
