/*
 * Section 3: the time to a given score of each run, in a network that sliders describe. The steps are those of the
 * recorded runs; only the time of a step is computed, by network_model.js.
 */
(function (terse) {
  'use strict';

  const { el, format, report, network } = terse;

  const RATES = [1e6, 400e9];
  const LATENCIES = [1e-6, 100e-3];
  const WORKERS = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

  const numbers = (values) => (values ?? []).filter((value) => typeof value === 'number' && Number.isFinite(value));

  // The runs with evaluations of the most frequent metric and split.
  function comparable(data) {
    const counts = new Map();
    const evaluated = data.runs.filter((run) => numbers(run.evaluations?.score).length > 0);
    for (const run of evaluated) counts.set(report.scoreOf(run), (counts.get(report.scoreOf(run)) ?? 0) + 1);
    const score = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
    const runs = data.runs.map((run, i) => ({ run, i })).filter(({ run }) => evaluated.includes(run) && report.scoreOf(run) === score);
    return { score, metric: runs[0]?.run.metric ?? null, runs };
  }

  // The scores that a slider offers, and the hardest one that all runs reach.
  function targets(runs, metric) {
    const best = metric === 'perplexity' ? (scores) => Math.min(...scores) : (scores) => Math.max(...scores);
    const scores = runs.map(({ run }) => numbers(run.evaluations.score));
    const reachedBest = scores.map(best);
    const all = scores.flat();
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const step = Number((10 ** Math.floor(Math.log10((high - low) / 50 || 0.1))).toPrecision(1));
    const common = metric === 'perplexity' ? Math.ceil(Math.max(...reachedBest) / step) * step : Math.floor(Math.min(...reachedBest) / step) * step;
    return { min: Math.floor(low / step) * step, max: Math.ceil(high / step) * step, step, value: Number(common.toPrecision(6)) };
  }

  function timesOf({ run, i }, { target, workers, link, clock }) {
    const obstacle = network.obstacle(run);
    const at = network.reached(run, target);
    if (obstacle) return { run, i, why: obstacle };
    if (at < 0) return { run, i, why: 'it does not reach this score' };
    const steps = run.evaluations.step[at];
    const local = network.localSeconds(run, workers, clock);
    const step = network.stepSeconds(run, workers, link, local);
    return { run, i, steps, step, seconds: steps * step, local: steps * local };
  }

  function drawBars(host, results) {
    const known = results.filter((result) => result.seconds !== undefined);
    host.replaceChildren(el('h3', {}, 'Modelled time to the score'));
    if (known.length === 0) {
      terse.absent(host, 'No run can be shown: see the reasons below.');
    } else {
      terse.legend(host, [{ label: 'in the network', series: 0, mark: 'box' }, { label: 'local work', series: 0, mark: 'box', opacity: 0.4 }]);
      terse.figure(host, {
        label: 'modelled time to the score, by run', height: (width) => known.length * (width < 520 ? 46 : 34) + 52,
        draw: (fig) => fig.stacks({
          format: format.seconds, label: 'modelled time',
          rows: known.map(({ run, steps, step, seconds, local }) => ({
            label: run.label, note: `${format.seconds(seconds)} = ${format.count(steps)} × ${format.seconds(step)}`,
            parts: [{ value: seconds - local, series: 0, label: 'network' }, { value: local, series: 0, opacity: 0.4, label: 'local work' }],
          })),
        }),
      });
    }
    const missing = results.filter((result) => result.why);
    if (missing.length) terse.note(host, missing.map(({ run, why }) => `${run.label} is not shown: ${why}.`));
  }

  // Ticks of a logarithmic axis of time, about a decade apart: 100 ms, 1 s, 10 s, 1 min, 10 min, 1 h, …
  function roundTimes([low, high]) {
    const all = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3600, 36000, 86400, 864000, 8640000];
    const within = all.filter((time) => time >= low && time <= high);
    return within.length > 1 ? within : [low, high];
  }

  function drawCurves(host, choices, runs, link) {
    const count = runs.length > 12 ? 13 : 33;
    const rates = Array.from({ length: count }, (_, k) => RATES[0] * (RATES[1] / RATES[0]) ** (k / (count - 1)));
    const lines = runs.map((one) => ({
      label: one.run.label, series: one.i,
      points: rates.map((rate) => [rate, timesOf(one, { ...choices, link: { ...link, bitsPerSecond: rate } }).seconds ?? null]),
    })).filter((line) => line.points.some(([, seconds]) => seconds !== null));
    host.replaceChildren(el('h3', {}, 'The same over all bandwidths'));
    if (lines.length === 0) return;
    const domain = terse.extent(lines.flatMap((line) => line.points.map(([, y]) => y)), { log: true });
    terse.legend(host, lines.map((line) => ({ label: line.label, series: line.series, dash: terse.dash(line.series) })));
    terse.figure(host, {
      label: 'modelled time to the score over bandwidth', height: 300,
      draw(fig) {
        const chart = fig.axes({
          x: { domain: RATES, scale: 'log', label: 'bandwidth of each NIC', format: format.rate, ticks: fig.width < 520 ? 3 : 6 },
          y: { domain, scale: 'log', label: 'modelled time to the score', format: format.seconds, ticks: roundTimes(domain) },
        });
        for (const line of lines) chart.line(line.points, { series: line.series, label: line.label });
        chart.rule({ x: link.bitsPerSecond, label: format.rate(link.bitsPerSecond) });
        chart.follow(lines, { x: format.rate, y: format.seconds });
      },
    });
  }

  // ---- break-even

  function breakEvenText(found) {
    if (found.always) return 'at every bandwidth of the slider';
    if (found.never) return 'at no bandwidth of the slider';
    return found.below ? `below ${format.rate(found.below, 3)}` : `above ${format.rate(found.above, 3)}`;
  }

  const isPlain = (run) => (run.config?.compressor ?? run.label) === 'none';

  function drawBreakEven(host, runs, { workers, link: { latency }, clock }) {
    const shown = runs.filter(({ run }) => !network.obstacle(run) && run.exchange.uncompressed_bytes && !isPlain(run)).slice(0, 12);
    host.replaceChildren();
    if (shown.length === 0) return;
    host.append(el('h3', {}, 'Break-even against uncompressed gradients'));
    const items = shown.map(({ run, i }) => {
      const found = network.breakEven(run, network.uncompressed(run), workers, latency, RATES, clock);
      return el('li', {}, report.swatch(i), el('b', {}, run.label), ` has shorter steps ${breakEvenText(found)}.`);
    });
    host.append(el('ul', { class: 'plain' }, items),
      el('p', { class: 'caption' }, `With ${workers} workers and a latency of ${format.seconds(latency)}, at any score. `
        + 'Compared with the same run without encoding and decoding, which sends all values.'));
  }

  // ---- the section

  function start(data) {
    const run = data.runs.find(({ exchange }) => exchange) ?? data.runs[0];
    return { workers: WORKERS.reduce((best, now) => (Math.abs(now - run.workers) < Math.abs(best - run.workers) ? now : best), 4) };
  }

  function networkSliders(host, { change, disabled, workers }) {
    const slider = (label, key, options) => terse.slider(host, { label, key: `network.${key}`, change, disabled, ...options });
    const log = ([min, max], value, write) => ({ min, max, value, scale: 'log', format: write });
    return {
      rate: slider('bandwidth', 'rate', log(RATES, 1e9, format.rate)),
      latency: slider('latency', 'latency', log(LATENCIES, 50e-6, format.seconds)),
      workers: slider('workers', 'workers', { values: WORKERS, value: workers }),
    };
  }

  // Which clock measured the local work: the same one for all runs.
  function clockChoice(host, runs, { change, disabled }) {
    const modelled = !disabled && runs.every(({ run }) => run.virtual_times || network.obstacle(run));
    const reason = modelled ? null : 'recorded by train --network, and needed from all runs';
    return terse.segmented(host, {
      label: 'local work', key: 'network.clock', value: modelled ? 'virtual_times' : 'times', change,
      options: [{ value: 'times', label: 'as measured' }, { value: 'virtual_times', label: 'of the virtual clock', disabled: reason }],
    });
  }

  function draw(host, data) {
    const { score, metric, runs } = comparable(data);
    const command = report.commandOf(host);
    if (score === null) {
      terse.absent(host, 'No run has evaluations, so there is no score to reach.', 'train --eval-every 1');
      return;
    }
    const obstacles = runs.filter(({ run }) => network.obstacle(run));
    const disabled = obstacles.length === runs.length ? `${runs[0].run.label}: ${network.obstacle(runs[0].run)}` : null;
    const others = data.runs.filter((run) => !runs.some((one) => one.run === run));
    const controls = el('div', { class: 'controls' });
    const [bars, curves, even] = [el('div'), el('div'), el('div')];
    host.append(controls, bars, curves, even);
    let waiting = false;
    const redraw = () => {
      const link = { bitsPerSecond: sliders.rate.value, latency: sliders.latency.value };
      const choices = { target: target.value, workers: sliders.workers.value, link, clock: clock.value };
      command.show(`train --compressor ${runs[0].run.config?.compressor ?? 'none'} --workers ${choices.workers} --network ${spec(link)}`);
      drawBars(bars, runs.map((one) => timesOf(one, choices)));
      drawCurves(curves, choices, runs, link);
      drawBreakEven(even, runs, choices);
    };
    const change = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; redraw(); });
    };
    const sliders = networkSliders(controls, { change, disabled, workers: start(data).workers });
    const target = terse.slider(controls, {
      label: `${score} to reach`, key: 'network.target',
      ...targets(runs, metric), change, disabled,
      format: (value) => format.number(value, 4) + (metric === 'perplexity' ? '' : '\u202f%'),
    });
    const clock = clockChoice(controls, runs, { change, disabled });
    const names = others.map((run) => run.label).join(', ');
    if (names) terse.note(host, `Not compared, because they have another metric, another split or no evaluations: ${names}.`);
    if (runs.some(({ run }) => run.config?.bucket_mb > 0)) {
      terse.note(host, 'The model has no buckets. Runs with --bucket-mb send during backward and are faster than shown.');
    }
    redraw();
  }

  // The text form of a network, as train reads it.
  function spec({ bitsPerSecond, latency }) {
    const short = (value, units) => {
      const [factor, unit] = units.find(([f]) => value >= f) ?? units.at(-1);
      return Number((value / factor).toPrecision(4)) + unit;
    };
    return `${short(bitsPerSecond, [[1e9, 'Gbps'], [1e6, 'Mbps']])},${short(latency, [[1e-3, 'ms'], [1e-6, 'us']])}`;
  }

  report.add({
    id: 'network',
    title: 'Network',
    lead: 'How long each recorded run would take in another network. Its steps stay those of the recording, also with '
      + 'another number of workers; only the time of a step is computed.',
    draw,
  });
})((globalThis.terse ??= {}));
