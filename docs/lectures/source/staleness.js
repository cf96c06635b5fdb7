/* The lecture on stale gradients and sparse pushes: Candela et al., arXiv 1910.09466. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, sum, mean, random } = terse.maths;
  const { curve, dot, clip, smooth } = terse.drawing;
  const HEIGHT = 283;
  const percent = (share) => format.percent(share, 3);

  // ----------------------------------------------------------------------------------------------- 1: timelines

  const DURATIONS = {
    constant: () => 1,
    Erlang: (draws) => (draws.exponential() + draws.exponential() + draws.exponential() + draws.exponential()) / 4,
    exponential: (draws) => draws.exponential(),
    Pareto: (draws) => 0.6 * (1 - draws.next()) ** (-1 / 2.5),
  };
  const SPAN = 9;

  // The pushes of W workers until `end`, in the order of their arrival: {worker, from, to, staleness}.
  function simulate(workers, law, end) {
    const draws = random(17);
    const next = range(workers, (w) => ({ worker: w, from: 0, to: DURATIONS[law](draws) + (law === 'constant' ? w / workers : 0), read: 0 }));
    const pushes = [];
    for (let version = 0; ; ++version) {
      const first = next.reduce((best, one) => (one.to < best.to ? one : best));
      if (first.to > end) break;
      pushes.push({ ...first, staleness: version - first.read });
      next[first.worker] = { worker: first.worker, from: first.to, to: first.to + DURATIONS[law](draws), read: version + 1 };
    }
    return { pushes, running: next };
  }

  const shade = (staleness, most) => 0.18 + 0.82 * Math.min(1, staleness / most);

  const timeline = {
    id: 'timeline',
    title: 'Nobody waits, so gradients are stale',
    lead: 'Each bar is one gradient. The number: updates by others between its pull and its push.',
    command: () => 'train --topology async --workers 4 --durations exponential',
    made: 'Computed in this page, as the simulated clock of the program does it.',
    question: 'One worker becomes ten times slower. What happens to the others’ staleness?',
    answer: 'It falls, because fewer updates pass while they compute; that of the slow worker rises. The mean over all pushes stays '
      + 'W − 1: each worker’s pushes telescope, whatever the durations are.',
    notes: ['Move the vertical line: the model’s version is the number of pushes so far.',
      'Constant durations: everybody has W − 1. Exponential ones: many fresh gradients, a few very stale ones. Pareto: stragglers.',
      'A synchronous step would last as long as its slowest gradient; here W workers give W updates in the mean time of one.'],
    build(stage) {
      const workers = terse.slider(stage.controls, { label: 'workers W', key: 'timeline.workers', min: 1, max: 10, step: 1, value: 4, format: format.count, change: () => update() });
      const law = terse.segmented(stage.controls, { label: 'durations', key: 'timeline.law', value: 'exponential', options: Object.keys(DURATIONS).map((value) => ({ value, label: value })), change: () => update() });
      const until = terse.slider(stage.controls, { label: 'time', key: 'timeline.time', min: 0, max: SPAN, step: 0.1, value: 6, change: () => update() });
      const readout = stage.readout();
      let all = simulate(workers.value, law.value, SPAN);
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'the gradients of each worker over time, with their staleness',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, SPAN], label: 'time in mean durations', ticks: range(SPAN + 1) }, y: { bands: range(workers.value, (w) => `worker ${w + 1}`) }, left: 84, top: 4, right: 14 });
          const slot = (chart.bottom - chart.top) / workers.value;
          const thick = Math.min(38, slot - 4);
          const bar = (push, done) => {
            const [a, b] = [chart.x(push.from), chart.x(Math.min(done ? push.to : until.value, SPAN))];
            if (b - a < 1) return;
            const y = chart.top + slot * (push.worker + 0.5) - thick / 2;
            chart.put('rect', { x: a + 0.75, y, width: Math.max(0.5, b - a - 1.5), height: thick, rx: 3, fill: done ? terse.series(1) : 'var(--series-7)', 'fill-opacity': done ? shade(push.staleness, 2 * workers.value) : 0.25 });
            if (done && b - a > 16) chart.put('text', { x: (a + b) / 2, y: y + thick / 2 + 5, 'text-anchor': 'middle', class: 'strong' }, String(push.staleness));
          };
          all.pushes.forEach((push) => { if (push.from < until.value) bar(push, push.to <= until.value); });
          all.running.forEach((push) => { if (push.from < until.value) bar(push, false); });
          chart.put('line', { x1: chart.x(until.value), x2: chart.x(until.value), y1: chart.top, y2: chart.bottom, stroke: 'var(--ink)', 'stroke-width': 2 });
        },
      });
      function update() {
        all = simulate(workers.value, law.value, SPAN);
        const done = all.pushes.filter(({ to }) => to <= until.value);
        readout.set([[String(done.length), 'version'], [done.length ? format.number(mean(done.map(({ staleness }) => staleness)), 2) : '–', 'mean staleness', 1]]);
        stage.command(`train --topology async --workers ${workers.value} --durations ${{ constant: 'constant', Erlang: 'erlang:k=4', exponential: 'exponential', Pareto: 'pareto:alpha=2.5' }[law.value]}`);
        view.redraw();
      }
      update();
    },
  };

  // ----------------------------------------------------------------------------------------------- 2: histograms

  const histogram = {
    id: 'histogram',
    title: 'The mean is W − 1; the law sets the spread',
    lead: 'Staleness of 40 000 pushes. Line: the geometric law of exponential durations.',
    command: (data) => data.histograms.command,
    made: 'Real runs of this program, a small model, one for each law and W.',
    question: 'Faster computers halve all durations. What happens to staleness?',
    answer: 'Nothing. Staleness counts updates, not seconds, and all workers became faster alike. Only the number of workers sets its '
      + 'mean, and only the law of the durations its spread.',
    notes: ['P(τ = j) = (1/W)(1 − 1/W)ʲ if durations are exponential: every push is equally likely to come from any worker.',
      'The last bar of a wide distribution holds all pushes beyond it. Pareto durations have the longest tail.'],
    build(stage) {
      const { runs } = stage.data.histograms;
      const laws = [...new Set(runs.map((run) => run.law))];
      const law = terse.segmented(stage.controls, { label: 'law of durations', key: 'histogram.law', value: laws[Math.min(2, laws.length - 1)], options: laws.map((value) => ({ value, label: value })), change: () => update() });
      const workers = terse.slider(stage.controls, { label: 'workers W', key: 'histogram.workers', values: [...new Set(runs.map((run) => run.workers))], value: 8, format: format.count, change: () => update() });
      const readout = stage.readout();
      const chosen = () => runs.find((run) => run.law === law.value && run.workers === workers.value) ?? runs[0];
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'histogram of staleness',
        draw(fig) {
          const run = chosen();
          const total = sum(run.histogram.map(([, count]) => count));
          const last = Math.max(4, run.histogram[run.histogram.length - 1][0]);
          const shares = run.histogram.map(([tau, count]) => [tau, count / total]);
          const geometric = (j) => (1 / run.workers) * (1 - 1 / run.workers) ** j;
          const most = Math.max(...shares.map(([, share]) => share));
          const chart = fig.axes({ x: { domain: [-0.7, last + 0.7], label: 'staleness τ' }, y: { domain: [0, most * 1.08], label: 'share of pushes', format: percent }, left: 62, right: 16 });
          const width = (chart.right - chart.left) / (last + 1.4) * 0.82;
          shares.forEach(([tau, share]) => chart.put('rect', { x: chart.x(tau) - width / 2, width, y: chart.y(share), height: Math.max(0.5, chart.bottom - chart.y(share)), fill: terse.series(1), class: 'bar', 'data-tip': `${tau}: ${percent(share)}` }));
          clip(chart);
          if (run.law === 'exponential') chart.line(range(last + 1, (j) => [j, geometric(j)]), { color: 'var(--ink)', width: 2.5 });
          chart.rule({ x: run.mean, label: `mean ${format.number(run.mean, 3)}` });
        },
      });
      function update() {
        const run = chosen();
        readout.set([[format.number(run.mean, 4), 'mean', 1], [String(run.workers - 1), 'W − 1'], [format.count(run.most), 'maximum']]);
        stage.command(run.command);
        view.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------- 3: the stability map

  const MAP = { most: 24, steps: 300 };

  // The largest stable η·h for f = h x²/2 and a constant staleness τ: z^(τ+1) − z^τ + η h = 0 has its roots in the disc.
  const limit = (tau) => 2 * Math.sin(Math.PI / (2 * (2 * tau + 1)));

  function delayed(rate, tau) {
    const x = [1];
    for (let t = 0; t < MAP.steps; ++t) x.push(x[t] - rate * (t >= tau ? x[t - tau] : x[0]));
    return x;
  }

  const stability = {
    id: 'stability',
    title: 'Staleness lowers the largest stable rate',
    lead: 'On f = h x²/2, a constant staleness τ is stable only for η h < 2 sin(π/(4τ + 2)).',
    columns: '5fr 5fr 4fr',
    command: (data) => data.sweep.command,
    made: '',
    question: 'The workers become ten times as many. What must the rate do?',
    answer: 'Near the limit it must fall about tenfold: for large τ the limit is π/(2τ). On real training the price is smaller, because '
      + 'staleness is spread and the rate falls during training: on the right the limit falls less than tenfold from 1 to 64 workers.',
    notes: ['Pull η h across the line. Just below it the iterate oscillates with a period of about 4τ + 2 steps and shrinks slowly.',
      'Right: real training of a perceptron, test accuracy by rate (a power of two) and number of workers. Empty cells have not learned, or follow one that has not.',
      'The limit is exact for a constant staleness and one curvature; a network has many curvatures, the largest counts.'],
    build(stage) {
      const tau = terse.slider(stage.controls, { label: 'staleness τ', key: 'stability.tau', min: 0, max: MAP.most, step: 1, value: 7, format: format.count, change: () => update() });
      const rate = terse.slider(stage.controls, { label: 'η h', key: 'stability.rate', min: 0.02, max: 2.2, scale: 'log', value: 0.15, change: () => update() });
      const readout = stage.readout();
      const map = terse.figure(stage.figures, {
        height: HEIGHT, label: 'the map of stable rates over staleness',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, MAP.most], label: 'staleness τ' }, y: { domain: [0.02, 2.2], scale: 'log', label: 'η h', ticks: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2] }, left: 46 });
          const line = curve(limit, 0, MAP.most, 240);
          chart.area(line.map(([x, y]) => [x, 0.02, y]), { series: 2, opacity: 0.28 });
          chart.area(line.map(([x, y]) => [x, y, 2.2]), { series: 1, opacity: 0.22 });
          chart.line(line, { color: 'var(--ink)', width: 2.5 });
          chart.text(MAP.most * 0.66, 0.75, 'diverges', { class: 'title', anchor: 'middle' });
          chart.text(MAP.most * 0.3, 0.034, 'converges', { class: 'title', anchor: 'middle' });
          dot(chart, tau.value, rate.value, { series: rate.value < limit(tau.value) ? 2 : 1, r: 9 });
        },
      });
      const path = terse.figure(stage.figures, {
        height: HEIGHT, label: 'x over the updates',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, MAP.steps], label: 'update', ticks: 4 }, y: { domain: [-2, 2], label: 'x', ticks: [-2, -1, 0, 1, 2] }, left: 34 });
          clip(chart);
          const points = delayed(rate.value, tau.value).map((x, t) => [t, Math.max(-1e6, Math.min(1e6, x))]);
          chart.line(points, { series: rate.value < limit(tau.value) ? 2 : 1, width: 2.5, dash: null });
        },
      });
      terse.figure(stage.figures, {
        height: HEIGHT, label: 'test accuracy by rate and number of workers',
        draw(fig) {
          const rows = stage.data.sweep.rates.filter(([method]) => method === 'asynchronous');
          const exponents = [...new Set(rows.map(([, , exponent]) => exponent))].sort((a, b) => b - a);
          const counts = [...new Set(rows.map(([, workers]) => workers))];
          const chart = fig.axes({ x: { bands: counts.map(String), label: 'workers W' },
            y: { bands: exponents.map((e) => (e < 0 ? `1/${2 ** -e}` : String(2 ** e))), label: 'accuracy by rate' }, left: 52, right: 0 });
          const [width, height] = [chart.band, (chart.bottom - chart.top) / exponents.length];
          rows.filter(([, , , accuracy]) => accuracy).forEach(([, workers, exponent, accuracy]) => chart.put('rect', {
            x: chart.x(String(workers)) - width / 2, y: chart.top + height * exponents.indexOf(exponent), width: width - 1.5, height: height - 1.5,
            fill: terse.series(2), 'fill-opacity': 0.15 + 0.85 * Math.max(0, (accuracy - 0.5) / 0.38), 'data-tip': percent(accuracy),
          }));
        },
      });
      stage.say('Left and middle: computed in this page. Right: real runs, accuracy by rate; darker is better.');
      function update() {
        readout.set([[format.number(limit(tau.value), 3), 'limit of η h'], [rate.value < limit(tau.value) ? 'stable' : 'diverges', '', rate.value < limit(tau.value) ? 2 : 1]]);
        map.redraw();
        path.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------------------ 4: queues

  const queues = {
    id: 'queues',
    title: 'Sparse messages shorten the queue at the server',
    lead: 'A push waits for the server’s network card. 166 kB a model, 100 Mbit/s, 5 ms to compute.',
    columns: '3fr 2fr',
    command: (data) => data.queues.command,
    made: 'Real runs of this program in its modelled network, 400 pushes each.',
    question: 'Pushes are fifty times smaller. Why is training not much faster?',
    answer: 'Workers still pull the whole model after each push: the server sends 400 models, 66 MB, which takes 5.3 s on this link. '
      + 'Only if pulls are sparse, too, and bring the coordinates that have changed, does the queue become short.',
    notes: ['With 8 workers a worker computes for 5 of 106 ms and waits for the rest of the time.',
      'Top-k of 1 % alone changes little. With sparse pulls the queue is gone up to 4 workers. More workers change more coordinates '
      + 'between two pulls, so pulls become longer.',
      'The mean staleness stays W − 1: compression shortens the waiting, not the staleness.'],
    build(stage) {
      const { runs } = stage.data.queues;
      const counts = [...new Set(runs.map((run) => run.workers))];
      const names = [...new Set(runs.map((run) => run.pushes))];
      const workers = terse.slider(stage.controls, { label: 'workers W', key: 'queues.workers', values: counts, value: 8, format: format.count, change: () => update() });
      const readout = stage.readout();
      const find = (name, count) => runs.find((run) => run.pushes === name && run.workers === count);
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'milliseconds of a push by kind of message',
        draw(fig) {
          const here = names.map((name) => find(name, workers.value));
          const chart = fig.axes({ x: { domain: [0, Math.max(...here.map((run) => run.compute + run.exchange)) * 1.14], label: 'ms from pull to pull' }, y: { bands: names.map((_, i) => i), format: () => '' }, left: 8, top: 2, right: 8 });
          fig.root.querySelectorAll('.axes text[text-anchor="end"]').forEach((text) => text.remove());
          const slot = (chart.bottom - chart.top) / names.length;
          here.forEach((run, i) => {
            const y = chart.top + slot * i;
            chart.put('text', { x: chart.left, y: y + 24, class: 'title' }, names[i]);
            const [a, b, c] = [chart.left, chart.x(run.compute), chart.x(run.compute + run.exchange)];
            chart.put('rect', { x: a, y: y + 32, width: b - a, height: 30, fill: terse.series(2) });
            chart.put('rect', { x: b, y: y + 32, width: c - b, height: 30, fill: terse.series(1) });
            chart.put('text', { x: c + 8, y: y + 52, class: 'strong' }, `${format.number(run.compute + run.exchange, 3)} ms`);
          });

        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT, label: 'updates a second by number of workers',
        draw(fig) {
          const speed = (run) => 400 / run.seconds;
          const chart = fig.axes({ x: { domain: [counts[0] * 0.9, counts[counts.length - 1] * 1.1], scale: 'log', ticks: counts, label: 'workers W' }, y: { domain: [20, 1000], scale: 'log', label: 'updates a second', format: format.count }, left: 62 });
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
        readout.set([...names.map((name) => [`${format.number(find(name, workers.value).seconds, 3)} s`, name]), ['green', 'compute', 2], ['orange', 'exchange and queue', 1]]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------------------ 5: memory

  const memory = {
    id: 'memory',
    title: 'What memory repairs',
    lead: 'Sixteen workers push the largest 10, 1 or 0.1 % of their gradients. Memory keeps the rest for later.',
    command: (data) => data.memory.command,
    made: 'Real runs of this program at one rate, one seed each.',
    question: 'Memory makes small entries arrive late. Is that not staleness once more?',
    answer: 'It is: an entry that waits is like one of an older model. Top-k delays only small entries, which move the model little; '
      + 'dropping them for ever, as without memory, costs much more.',
    notes: ['Compare blue and orange at each ratio. The smaller the ratio, the more it repairs, up to where the delay itself hurts.',
      'x − η Σ m follows the dense recursion exactly, for a constant rate: a test checks it.',
      'The claim of the paper’s later version is that sparse pushes do no harm. At 10 % we find that, with memory, for every W.'],
    build(stage) {
      const { runs } = stage.data.memory;
      const ratios = [...new Set(runs.map((run) => run.ratio).filter(Boolean))];
      const ratio = terse.segmented(stage.controls, { label: 'largest entries', key: 'memory.ratio', value: String(ratios[Math.min(1, ratios.length - 1)]), options: ratios.map((value) => ({ value: String(value), label: format.percent(value) })), change: () => update() });
      const until = terse.slider(stage.controls, { label: 'until push', key: 'memory.until', min: 100, max: runs[0].steps, step: 1, value: runs[0].steps, format: format.count, change: () => update() });
      const readout = stage.readout();
      const find = (kept) => runs.find((run) => String(run.ratio) === ratio.value && run.memory === kept);
      const last = (run) => run.accuracy[run.accuracy.length - 1][1];
      const lines = () => [[runs[0], null], [find(true), 0], [find(false), 1]].filter(([run]) => run);
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'training loss over the pushes',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, runs[0].steps], label: 'pushes', format: format.count }, y: { domain: [0.3, 2], label: 'training loss' }, left: 46, right: 16 });
          clip(chart);
          lines().forEach(([run, series]) => {
            const points = smooth(run.points.map(([step, loss]) => [step, loss]), 5);
            const style = series === null ? { color: 'var(--muted)' } : { series, dash: null };
            chart.line(points, { ...style, width: 1 }).setAttribute('opacity', 0.3);
            chart.line(points.filter(([step]) => step <= until.value), { ...style, width: 4 });
          });
        },
      });
      function update() {
        readout.set([[percent(last(runs[0])), 'dense'], ...(find(true) ? [[percent(last(find(true))), 'with memory', 0]] : []), ...(find(false) ? [[percent(last(find(false))), 'without', 1]] : [])]);
        if (find(true)) stage.command(find(true).command);
        view.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------------- 6: the sweep

  const fraction = (rate) => (rate < 1 ? `1/${Math.round(1 / rate)}` : String(rate));
  const COLOURS = { synchronous: 6, asynchronous: 0, 'staleness-aware': 3, 'top 10 %, memory': 2, 'top 1 %, memory': 1 };

  const sweep = {
    id: 'sweep',
    title: 'The same pushes, by more and more workers',
    lead: 'One epoch of Fashion-MNIST, 1 875 pushes in all; every method at its best rate for each W.',
    columns: '3fr 2fr',
    command: (data) => data.sweep.command,
    made: 'Real runs of this program: a perceptron, 50 890 parameters, one seed.',
    question: 'Synchronous training loses most here. Is asynchrony better?',
    answer: 'Not by itself: the count is unfair to it. Synchronous training makes W times fewer updates of the same pushes, 29 with 64 '
      + 'workers. What asynchrony buys is that nobody waits; what it costs is the rate.',
    notes: ['Choose a method: right, its accuracy by rate for the number of workers of the slider; dashed, the largest stable rate.',
      'Sparse pushes with memory stay beside dense ones up to 16 workers, and lose a little at 64 for 1 %.',
      'Staleness-aware: the rate is divided by the staleness of each push. Rate 1 stays stable with 64 workers, and learns more slowly.'],
    build(stage) {
      const { cells, rates } = stage.data.sweep;
      const methods = [...new Set(cells.map((cell) => cell.method))];
      const counts = [...new Set(cells.map((cell) => cell.workers))];
      const method = terse.select(stage.controls, { label: 'method', key: 'sweep.method', value: methods[methods.length - 1], options: methods.map((value) => ({ value, label: value })), change: () => update() });
      const workers = terse.slider(stage.controls, { label: 'workers W', key: 'sweep.workers', values: counts, value: 16, format: format.count, change: () => update() });
      const readout = stage.readout();
      const chosen = () => cells.find((cell) => cell.method === method.value && cell.workers === workers.value) ?? cells[0];
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'accuracy at the best rate over the number of workers',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0.9, Math.max(2, ...counts) * 1.1], scale: 'log', ticks: counts, label: 'workers W' }, y: { domain: [0.74, 0.88], label: 'test accuracy', format: percent }, left: 58, right: 16 });
          clip(chart);
          methods.forEach((name) => {
            const here = name === method.value;
            const points = cells.filter((cell) => cell.method === name).map((cell) => [cell.workers, cell.accuracy]);
            chart.line(points, { series: COLOURS[name], width: here ? 5 : 2, dash: null });
            if (here) chart.points(points, { series: COLOURS[name], r: 6 });
          });
          methods.forEach((name, i) => chart.put('text', { x: chart.left + 12, y: chart.bottom - 12 - 20 * (methods.length - 1 - i), style: `fill: ${terse.series(COLOURS[name])}; font-weight: 600` }, name));
          dot(chart, workers.value, chosen().accuracy, { series: COLOURS[method.value], r: 9 });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT, label: 'accuracy by rate',
        draw(fig) {
          const all = rates.filter(([name, count]) => name === method.value && count === workers.value);
          const points = all.map(([, , exponent, accuracy]) => [2 ** exponent, accuracy ?? 0.1]).sort((a, b) => a[0] - b[0]);
          const chart = fig.axes({ x: { domain: [1 / 300, 5], scale: 'log', label: 'rate', ticks: [1 / 256, 1 / 16, 1, 4], format: fraction }, y: { domain: [0, 0.9], label: `accuracy, W = ${workers.value}`, format: percent }, left: 58, right: 16 });
          chart.line(points, { series: COLOURS[method.value], width: 3, dash: null });
          chart.points(points, { series: COLOURS[method.value], r: 5 });
          chart.rule({ x: chosen().stable_rate });
        },
      });
      function update() {
        const cell = chosen();
        readout.set([[percent(cell.accuracy), 'accuracy', COLOURS[method.value]], [fraction(cell.best_rate), 'best rate'], [fraction(cell.stable_rate), 'largest stable'], [format.bytes(cell.push_bytes, 3), 'a push']]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  };

  terse.lecture({
    title: 'Stale gradients and sparse pushes', paper: 'Candela et al., arXiv 1910.09466',
    scenes: [timeline, histogram, stability, queues, memory, sweep],
  });
})((globalThis.terse ??= {}));
