/*
 * Section 1: accuracy or perplexity, and loss, over a chosen axis; the table of results; what differs between the runs'
 * configurations.
 */
(function (terse) {
  'use strict';

  const { el, format, report } = terse;

  const AXES = [
    { value: 'step', label: 'steps', format: format.number },
    { value: 'epoch', label: 'epochs', format: format.number },
    { value: 'bytes', label: 'bytes sent', title: 'bytes sent by worker 0', format: format.bytes },
    { value: 'wall', label: 'wall time', format: format.seconds },
    { value: 'virtual', label: 'modelled time', format: format.seconds },
  ];

  const has = (values) => Array.isArray(values) && values.some((value) => typeof value === 'number');
  const last = (values) => (values ?? []).filter((value) => typeof value === 'number').at(-1);
  // Simulated workers have no wall time; their column is 0.
  const lastTime = (run, axis) => last(run.steps?.[axis]) || last(run.evaluations?.[axis]) || NaN;

  // ---- curves

  const lineOf = (run, i, columns, x, y, hidden) => ({
    label: run.label, series: i, xs: columns?.[x] ?? [], ys: columns?.[y] ?? [], hidden: hidden.has(i),
  });

  function figuresOf(data, axis, hidden) {
    const scores = [...new Set(data.runs.map(report.scoreOf))].map((score) => ({
      label: score.endsWith('accuracy') ? `${score}, %` : score,
      what: 'evaluations',
      runs: data.runs.map((run, i) => i).filter((i) => report.scoreOf(data.runs[i]) === score),
      line: (i) => lineOf(data.runs[i], i, data.runs[i].evaluations, axis.value, 'score', hidden),
    }));
    return [...scores, {
      label: 'training loss',
      what: 'steps',
      runs: data.runs.map((run, i) => i),
      line: (i) => lineOf(data.runs[i], i, data.runs[i].steps, axis.value, 'loss', hidden),
    }];
  }

  function drawCurves(host, data, views, { axis, log, hidden }) {
    views.splice(0).forEach(({ view }) => view.destroy());
    const figures = figuresOf(data, axis, hidden);
    const places = figures.map(() => el('div'));
    host.replaceChildren(...places);  // all at once, because their number determines their width
    figures.forEach((figure, k) => {
      const place = places[k];
      const lines = figure.runs.map(figure.line);
      const empty = lines.filter((line) => !has(line.xs) || !has(line.ys));
      if (empty.length === lines.length) {
        terse.absent(place, `No run has ${figure.what} with ${axis.label}, so there is no curve of ${figure.label}.`);
        return;
      }
      const view = terse.curves(place, {
        label: `${figure.label} over ${axis.label}`, lines,
        x: { label: axis.title ?? axis.label, format: axis.format, log }, y: { label: figure.label },
      });
      if (empty.length > 0) {
        view.node.append(el('p', { class: 'caption' }, `Without ${figure.what}: ${empty.map((line) => line.label).join(', ')}.`));
      }
      views.push({ view, runs: figure.runs });
    });
  }

  function curves(host, data) {
    const usable = (axis) => data.runs.some((run) => has(run.evaluations?.[axis.value]) || has(run.steps?.[axis.value]));
    const reason = (axis) => (axis.value === 'virtual' ? 'recorded by train --network' : 'not recorded by any of these runs');
    const controls = el('div', { class: 'controls' });
    const legendHost = el('div');
    const figures = el('div', { class: 'columns' });
    host.append(controls, legendHost, figures);
    const views = [];
    const draw = () => drawCurves(figures, data, views, {
      axis: AXES.find((axis) => axis.value === choice.value) ?? AXES[0], log: logarithmic.value, hidden: legend.hidden,
    });
    const choice = terse.segmented(controls, {
      label: 'horizontal axis', key: 'progress.axis', value: 'step', change: draw,
      options: AXES.map((axis) => ({ ...axis, disabled: usable(axis) ? null : reason(axis) })),
    });
    const logarithmic = terse.checkbox(controls, { label: 'logarithmic', key: 'progress.log', value: false, change: draw });
    const legend = report.legend(legendHost, data, {
      key: 'progress.hidden',
      change: () => views.forEach(({ view, runs }) => runs.forEach((i, k) => view.show(k, !legend.hidden.has(i)))),
    });
    draw();
  }

  // ---- table of results

  function bestOf(run) {
    const scores = (run.evaluations?.score ?? []).filter((score) => typeof score === 'number');
    return run.metric === 'perplexity' ? Math.min(...scores) : Math.max(...scores);
  }

  const seconds = (value) => format.number(typeof value === 'number' ? 1e3 * value : NaN);
  const perStep = (run) => {
    const parts = ['compute', 'encode', 'exchange', 'decode', 'update'].map((part) => run.times?.[part]).filter((value) => typeof value === 'number');
    return parts.length ? parts.reduce((sum, value) => sum + value, 0) : NaN;
  };
  const fewer = (run) => (run.bytes?.uncompressed && run.bytes.per_step ? run.bytes.uncompressed / run.bytes.per_step : NaN);

  const COLUMNS = [
    { title: 'last score', value: (run) => last(run.evaluations?.score), text: (value, run) => format.number(value, 4) + (run.metric === 'perplexity' ? ' ppl' : '\u202f%') },
    { title: 'best score', value: bestOf, text: (value, run) => format.number(value, 4) + (run.metric === 'perplexity' ? ' ppl' : '\u202f%') },
    { title: 'held-out loss', value: (run) => last(run.evaluations?.test_loss), text: (value) => format.number(value), least: true, heldOut: true },
    { title: 'train loss', value: (run) => last(run.evaluations?.train_loss) ?? last(run.steps?.loss), text: (value) => format.number(value), least: true },
    { title: 'steps', value: (run) => last(run.steps?.step) ?? last(run.evaluations?.step), text: format.count, plain: true },
    { title: 'bytes per step', value: (run) => run.bytes?.per_step, text: (value) => format.bytes(value), least: true },
    { title: 'times fewer', value: fewer, text: (value) => format.number(value) + '×', most: true },
    { title: 'ms per step', value: perStep, text: seconds, least: true },
    { title: 'wall time', value: (run) => lastTime(run, 'wall'), text: (value) => format.seconds(value), least: true },
    { title: 'modelled time', value: (run) => lastTime(run, 'virtual'), text: (value) => format.seconds(value), least: true },
  ];

  // The best value of a column, if runs can be compared in it.
  function bestValue(column, values, data) {
    const known = values.filter((value) => Number.isFinite(value));
    if (column.plain || known.length < 2) return null;
    const kinds = new Set(data.runs.map(report.scoreOf));
    if (column.heldOut && kinds.size > 1) return null;
    if (column.least) return Math.min(...known);
    if (column.most) return Math.max(...known);
    if (kinds.size > 1) return null;
    return data.runs[0].metric === 'perplexity' ? Math.min(...known) : Math.max(...known);
  }

  function results(host, data) {
    const head = el('tr', {}, el('th', { class: 'text' }, 'run'), COLUMNS.map(({ title }) => el('th', {}, title)));
    const rows = data.runs.map((run, i) => el('tr', {}, el('td', { class: 'name' }, report.swatch(i), run.label)));
    for (const column of COLUMNS) {
      const values = data.runs.map((run) => column.value(run));
      const best = bestValue(column, values, data);
      values.forEach((value, i) => {
        const text = Number.isFinite(value) ? column.text(value, data.runs[i]) : '–';
        rows[i].append(el('td', { class: value === best ? 'best' : null }, text));
      });
    }
    const table = el('table', { class: 'data results' }, el('thead', {}, head), el('tbody', {}, rows));
    host.append(el('h3', {}, 'Results'), el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'results' }, table));
  }

  // ---- configurations

  function valueText(value) {
    if (value === null || value === undefined || value === '') return '–';
    if (typeof value === 'object') return JSON.stringify(value);
    return String(typeof value === 'number' ? Number(value.toPrecision(6)) : value);
  }

  // A long specification may be broken after its separators.
  const breakable = (text) => text.split(/(?<=[,+:/])/).flatMap((part) => [part, el('wbr')]);

  const MOST_COLUMNS = 8;  // of runs; more runs become rows

  // Keys of nested objects, such as async.clock, come last.
  const byDepth = (a, b) => a.key.split('.').length - b.key.split('.').length;
  const runHead = (run, i, attributes) => el('th', attributes, report.swatch(i), run.label);
  const boldCell = (value) => el('td', { class: 'text' }, el('b', {}, breakable(valueText(value))));

  function differenceTable(list, runs) {
    if (runs.length > MOST_COLUMNS) {
      return el('table', { class: 'data differences' },
        el('thead', {}, el('tr', {}, el('th', {}, 'run'), list.map(({ key }) => el('th', { class: 'text' }, key)))),
        el('tbody', {}, runs.map((run, i) => el('tr', {}, runHead(run, i), list.map(({ values }) => boldCell(values[i]))))));
    }
    return el('table', { class: 'data differences' },
      el('thead', {}, el('tr', {}, el('th', {}, 'key'), runs.map((run, i) => runHead(run, i, { class: 'text' })))),
      el('tbody', {}, list.map(({ key, values }) => el('tr', {}, el('th', {}, key), values.map(boldCell)))));
  }

  function differences(host, data) {
    if (data.runs.length < 2) return;
    const list = [...(data.differences ?? [])].sort(byDepth);
    host.append(el('h3', {}, 'What differs between the configurations'));
    if (list.length === 0) {
      terse.note(host, 'All runs have the same configuration.');
      return;
    }
    host.append(el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'differences' }, differenceTable(list, data.runs)));
  }

  function details(host, data) {
    const commands = el('details', {}, el('summary', {}, data.runs.length === 1 ? 'The command that makes this run' : 'The commands that make these runs'));
    data.runs.forEach((run) => { if (run.command) terse.command(commands, run.command); });
    const different = new Set((data.differences ?? []).map(({ key }) => key));
    const shared = Object.entries(data.runs[0]?.config ?? {}).filter(([key]) => !different.has(key));
    const rows = shared.map(([key, value]) => el('tr', {}, el('td', {}, key), el('td', { class: 'text' }, breakable(valueText(value)))));
    const all = el('details', {}, el('summary', {}, data.runs.length === 1 ? 'Configuration' : 'What all configurations have in common'),
      el('div', { class: 'scroll' }, el('table', { class: 'data' }, el('tbody', {}, rows))));
    host.append(commands, all);
  }

  report.add({
    id: 'progress',
    title: 'Progress',
    lead: 'How far each run comes, and at what cost: change the axis from steps to bytes or time, and the order of the methods changes.',
    draw(host, data) {
      report.commandOf(host).show(data.command);
      curves(host, data);
      results(host, data);
      differences(host, data);
      details(host, data);
    },
  });
})((globalThis.terse ??= {}));
