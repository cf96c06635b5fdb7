/* Scene 4 of the lecture on staleness: Sparse messages shorten the queue at the server. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { HEIGHT } = terse.drawing;

  terse.scene({
    id: 'queues',
    title: 'Sparse messages shorten the queue at the server',
    lead: 'A push waits for the server’s NIC. A model has 166 kB; 100 Mbit/s, 5 ms to compute.',
    columns: '3fr 2fr',
    command: (data) => data.queues.command,
    made: 'Real runs of this program in its modelled network, 400 pushes each.',
    question: 'Pushes are fifty times smaller. Why is training not much faster?',
    answer:
      'Workers still pull the whole model after each push: the server sends 400 models, 66 MB, which ' +
      'takes 5.3 s on this link. ' +
      'Only if pulls are sparse, too, and bring the coordinates that have changed, does the queue become short.',
    notes: [
      'With 8 workers a worker computes for 5 of 106 ms and waits for the rest of the time.',
      'Top-k of 1 % alone changes little. With sparse pulls the queue is gone up to 4 workers. More ' +
        'workers change more coordinates ' +
        'between two pulls, so pulls become longer.',
      'The mean staleness stays W − 1: compression shortens the waiting, not the staleness.',
    ],
    build(stage) {
      const { runs } = stage.data.queues;
      const counts = [...new Set(runs.map((run) => run.workers))];
      const names = [...new Set(runs.map((run) => run.pushes))];
      const workers = terse.slider(stage.controls, {
        label: 'workers W',
        key: 'queues.workers',
        values: counts,
        value: 8,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const find = (name, count) => runs.find((run) => run.pushes === name && run.workers === count);
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'milliseconds of a push by kind of message',
        draw(fig) {
          const here = names.map((name) => find(name, workers.value));
          const chart = fig.axes({
            x: {
              domain: [0, Math.max(...here.map((run) => run.compute + run.exchange)) * 1.14],
              label: 'ms from pull to pull',
            },
            y: { bands: names.map((_, i) => i), format: () => '' },
            left: 8,
            top: 2,
            right: 8,
          });
          fig.root.querySelectorAll('.axes text[text-anchor="end"]').forEach((text) => text.remove());
          const slot = (chart.bottom - chart.top) / names.length;
          here.forEach((run, i) => {
            const y = chart.top + slot * i;
            chart.put('text', { x: chart.left, y: y + 24, class: 'title' }, names[i]);
            const [a, b, c] = [chart.left, chart.x(run.compute), chart.x(run.compute + run.exchange)];
            chart.put('rect', { x: a, y: y + 32, width: b - a, height: 30, fill: terse.series(2) });
            chart.put('rect', { x: b, y: y + 32, width: c - b, height: 30, fill: terse.series(1) });
            chart.put(
              'text',
              { x: c + 8, y: y + 52, class: 'strong' },
              `${format.number(run.compute + run.exchange, 3)} ms`,
            );
          });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'updates a second by number of workers',
        draw(fig) {
          const speed = (run) => 400 / run.seconds;
          const chart = fig.axes({
            x: {
              domain: [counts[0] * 0.9, counts[counts.length - 1] * 1.1],
              scale: 'log',
              ticks: counts,
              label: 'workers W',
            },
            y: { domain: [20, 1000], scale: 'log', label: 'updates a second', format: format.count },
            left: 62,
          });
          names.forEach((name, i) => {
            const points = counts.map((count) => [count, speed(find(name, count))]);
            chart.line(points, { series: [7, 0, 3][i], width: 3, dash: null });
            chart.points(points, { series: [7, 0, 3][i], r: 4.5 });
            const [x, y] = points[points.length - 1];
            chart.text(x, y, name, { anchor: 'end', dy: i === 1 ? -10 : 24 });
          });
          chart.rule({ x: workers.value });
        },
      });
      function update() {
        readout.set([
          ...names.map((name) => [`${format.number(find(name, workers.value).seconds, 3)} s`, name]),
          ['green', 'compute', 2],
          ['orange', 'exchange and queue', 1],
        ]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
