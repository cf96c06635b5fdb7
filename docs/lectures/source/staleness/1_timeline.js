/* Scene 1 of the lecture on staleness: No worker waits, so gradients are stale. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, mean, random } = terse.maths;
  const { HEIGHT } = terse.drawing;

  const DURATIONS = {
    constant: () => 1,
    Erlang: (draws) => (draws.exponential() + draws.exponential() + draws.exponential() + draws.exponential()) / 4,
    exponential: (draws) => draws.exponential(),
    Pareto: (draws) => 0.6 * (1 - draws.next()) ** (-1 / 2.5),
  };
  const SPECS = { constant: 'constant', Erlang: 'erlang:k=4', exponential: 'exponential', Pareto: 'pareto:alpha=2.5' };
  const SPAN = 9;

  // The pushes of W workers until `end`, in the order of their arrival: {worker, from, to, staleness}.
  function simulate(workers, law, end) {
    const draws = random(17);
    const next = range(workers, (w) => ({
      worker: w,
      from: 0,
      to: DURATIONS[law](draws) + (law === 'constant' ? w / workers : 0),
      read: 0,
    }));
    const pushes = [];
    for (let version = 0; ; ++version) {
      const first = next.reduce((best, one) => (one.to < best.to ? one : best));
      if (first.to > end) break;
      pushes.push({ ...first, staleness: version - first.read });
      next[first.worker] = {
        worker: first.worker,
        from: first.to,
        to: first.to + DURATIONS[law](draws),
        read: version + 1,
      };
    }
    return { pushes, running: next };
  }

  const shade = (staleness, most) => 0.18 + 0.82 * Math.min(1, staleness / most);

  terse.scene({
    id: 'timeline',
    title: 'No worker waits, so gradients are stale',
    lead: 'Each bar is one gradient. The number: updates by others between its pull and its push.',
    command: () => 'train --topology async --workers 4 --durations exponential',
    made: 'Computed in this page, as the simulated clock of the program does it.',
    question: 'One worker becomes ten times slower. What happens to the others’ staleness?',
    answer:
      'It falls, because fewer updates pass while they compute; that of the slow worker rises. The mean ' +
      'over all pushes stays ' +
      'W − 1: each worker’s pushes telescope, whatever the durations are.',
    notes: [
      'Move the vertical line: the model’s version is the number of pushes so far.',
      'Constant durations: every push has W − 1. Exponential ones: many fresh gradients, a few very ' +
        'stale ones. Pareto: stragglers.',
      'A synchronous step would last as long as its slowest gradient; here W workers give W updates in ' +
        'the time of one.',
    ],
    build(stage) {
      const workers = terse.slider(stage.controls, {
        label: 'workers W',
        key: 'timeline.workers',
        min: 1,
        max: 10,
        step: 1,
        value: 4,
        format: format.count,
        change: () => update(),
      });
      const law = terse.segmented(stage.controls, {
        label: 'durations',
        key: 'timeline.law',
        value: 'exponential',
        options: Object.keys(DURATIONS).map((value) => ({ value, label: value })),
        change: () => update(),
      });
      const until = terse.slider(stage.controls, {
        label: 'time',
        key: 'timeline.time',
        min: 0,
        max: SPAN,
        step: 0.1,
        value: 6,
        change: () => update(),
      });
      const readout = stage.readout();
      let all = simulate(workers.value, law.value, SPAN);
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'the gradients of each worker over time, with their staleness',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, SPAN], label: 'time in mean durations', ticks: range(SPAN + 1) },
            y: { bands: range(workers.value, (w) => `worker ${w + 1}`) },
            left: 84,
            top: 4,
            right: 14,
          });
          const slot = (chart.bottom - chart.top) / workers.value;
          const thick = Math.min(38, slot - 4);
          const bar = (push, done) => {
            const [a, b] = [chart.x(push.from), chart.x(Math.min(done ? push.to : until.value, SPAN))];
            if (b - a < 1) return;
            const y = chart.top + slot * (push.worker + 0.5) - thick / 2;
            chart.put('rect', {
              x: a + 0.75,
              y,
              width: Math.max(0.5, b - a - 1.5),
              height: thick,
              rx: 3,
              fill: done ? terse.series(1) : 'var(--series-7)',
              'fill-opacity': done ? shade(push.staleness, 2 * workers.value) : 0.25,
            });
            if (done && b - a > 16)
              chart.put(
                'text',
                { x: (a + b) / 2, y: y + thick / 2 + 5, 'text-anchor': 'middle', class: 'strong' },
                String(push.staleness),
              );
          };
          all.pushes.forEach((push) => {
            if (push.from < until.value) bar(push, push.to <= until.value);
          });
          all.running.forEach((push) => {
            if (push.from < until.value) bar(push, false);
          });
          chart.put('line', {
            x1: chart.x(until.value),
            x2: chart.x(until.value),
            y1: chart.top,
            y2: chart.bottom,
            stroke: 'var(--ink)',
            'stroke-width': 2,
          });
        },
      });
      function update() {
        all = simulate(workers.value, law.value, SPAN);
        const done = all.pushes.filter(({ to }) => to <= until.value);
        readout.set([
          [String(done.length), 'version'],
          [done.length ? format.number(mean(done.map(({ staleness }) => staleness)), 2) : '–', 'mean staleness', 1],
        ]);
        stage.command(`train --topology async --workers ${workers.value} --durations ${SPECS[law.value]}`);
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
