/*
 * Curves drawn by uPlot, for sections with many points.
 *
 *   const view = terse.curves(host, {label, height, x, y, lines})
 *     x, y:   {label, format, log}
 *     lines:  [{label, series, width, dash, xs, ys, hidden}]; `series` is a number or a colour, such as "ink"; xs ascending; null in ys interrupts a line
 *   view.show(i, visible), view.destroy()
 *   view.plot is the uPlot object. terse.curveViews is the set of all views on the page, which the tests read.
 */
(function (terse) {
  'use strict';

  const { el } = terse;
  const MOST_SHARED = 3000;  // abscissae; above, lines are brought to a grid of buckets
  const BUCKETS = 400;
  const MOST_DASHED = 16;  // dashes of more lines do not tell them apart, and take long to draw
  const PAPER = 680;  // pixels of a line on paper
  const alive = new Set();
  let mostWidth = Infinity;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const known = (value) => typeof value === 'number' && Number.isFinite(value);

  // The points of a line that an axis can show.
  function visiblePoints(line, x, y) {
    const xs = [];
    const ys = [];
    line.xs.forEach((value, i) => {
      if (!known(value) || (x.log && value <= 0)) return;
      const other = line.ys[i];
      if (xs.length && value === xs[xs.length - 1]) {
        ys[ys.length - 1] = known(other) ? other : ys[ys.length - 1];
        return;
      }
      xs.push(value);
      ys.push(known(other) && !(y.log && other <= 0) ? other : null);
    });
    return [xs, ys];
  }

  // Brings lines with many different abscissae to common ones. Every bucket has two, for the least and the largest
  // value of a line in it, in their order.
  function toBuckets(tables, log) {
    const map = log ? Math.log : (value) => value;
    let [low, high] = [Infinity, -Infinity];
    for (const [xs] of tables) if (xs.length) [low, high] = [Math.min(low, xs[0]), Math.max(high, xs[xs.length - 1])];
    const width = (map(high) - map(low)) / BUCKETS || 1;
    const at = (i) => { const value = map(low) + (i / 2 + 0.25) * width; return log ? Math.exp(value) : value; };
    const grid = Array.from({ length: 2 * BUCKETS }, (_, i) => at(i));
    const columns = tables.map(([xs, ys]) => {
      const column = new Array(2 * BUCKETS);
      const least = new Array(BUCKETS);
      const most = new Array(BUCKETS);
      xs.forEach((x, i) => {
        if (ys[i] === null) return;
        const b = Math.min(BUCKETS - 1, Math.floor((map(x) - map(low)) / width));
        if (least[b] === undefined || ys[i] < ys[least[b]]) least[b] = i;
        if (most[b] === undefined || ys[i] > ys[most[b]]) most[b] = i;
      });
      for (let b = 0; b < BUCKETS; ++b) {
        if (least[b] === undefined) continue;
        const [first, last] = [Math.min(least[b], most[b]), Math.max(least[b], most[b])];
        column[2 * b] = ys[first];
        if (last !== first) column[2 * b + 1] = ys[last];
      }
      return column;
    });
    return [grid, ...columns];
  }

  function align(tables, log) {
    const shared = new Set();
    for (const [xs] of tables) for (const x of xs) shared.add(x);
    if (shared.size > MOST_SHARED) return toBuckets(tables, log);
    if (shared.size === 0) return [[], ...tables.map(() => [])];
    return tables.length === 1 ? tables[0] : uPlot.join(tables);
  }

  function axis({ label, format, log }, side) {
    return {
      scale: side, stroke: () => css('--muted'), grid: { stroke: () => css('--grid'), width: 1, show: side === 'y' },
      ticks: { stroke: () => css('--line'), width: 1, size: 4 }, font: '12px ' + css('--sans'),
      label: side === 'x' ? label : undefined, labelFont: '12px ' + css('--sans'), labelSize: side === 'x' ? 22 : 0, labelGap: 0, gap: 5,
      size: side === 'x' ? 30 : (plot, values) => Math.max(34, 16 + 6.8 * Math.max(0, ...(values ?? []).map((text) => (text ?? '').length))),
      space: side === 'x' ? 76 : 36,
      values: (plot, ticks) => ticks.map((tick) => (tick === null ? '' : (format ?? terse.format.number)(tick))),
      incrs: log ? undefined : [...Array(24).keys()].flatMap((e) => [1, 2, 2.5, 5].map((m) => m * 10 ** (e - 9))),
    };
  }

  // The index of the nearest value of a line; the abscissa of the pointer may belong to another line.
  function nearestIndex(plot, line, index) {
    const column = plot.data[line];
    for (let by = 0; by < column.length; ++by) {
      if (column[index - by] !== undefined && column[index - by] !== null) return index - by;
      if (column[index + by] !== undefined && column[index + by] !== null) return index + by;
    }
    return index;
  }

  function showTip(plot, { x, y }) {
    const { left, top, idxs } = plot.cursor;
    if (left < 0 || plot.data[0].length === 0) return terse.tip.hide();
    const near = plot.series.slice(1).map((series, i) => ({ series, at: idxs[i + 1], column: plot.data[i + 1] }))
      .filter(({ series, at, column }) => series.show && known(column[at]))
      .map((one) => ({ ...one, value: one.column[one.at], far: Math.abs(plot.valToPos(one.column[one.at], 'y') - top) }));
    if (near.length === 0) return terse.tip.hide();
    const shown = near.sort((a, b) => a.far - b.far).slice(0, 6).sort((a, b) => b.value - a.value);
    const place = (x.format ?? terse.format.number)(plot.data[0][shown[0].at]);
    const texts = shown.map(({ series, value }) => `${series.label}: ${(y.format ?? terse.format.number)(value)}`);
    const more = near.length > shown.length ? [`and ${near.length - shown.length} more`] : [];
    const box = plot.over.getBoundingClientRect();
    terse.tip.show([`${x.label}: ${place}`, ...texts, ...more].join('\n'), box.left + left, box.top + top);
  }

  function options({ x, y, lines, label, height }, width) {
    return {
      width, height, ms: 1, padding: [8, 12, 0, 0], legend: { show: false },
      cursor: {
        y: false, drag: { x: false, y: false }, points: { size: 7 }, focus: { prox: 24 },
        dataIdx: (plot, line, index) => (line === 0 ? index : nearestIndex(plot, line, index)),
      },
      focus: { alpha: 0.3 },
      scales: { x: { time: false, distr: x.log ? 3 : 1 }, y: { distr: y.log ? 3 : 1 } },
      axes: [axis(x, 'x'), axis(y, 'y')],
      series: [{}, ...lines.map((line) => ({
        label: line.label, show: !line.hidden, width: line.width ?? 1.75, spanGaps: false,
        stroke: () => css(typeof line.series === 'string' ? `--${line.series}` : `--series-${(line.series % 8) + 1}`),
        dash: (line.dash ?? (typeof line.series === 'string' || lines.length > MOST_DASHED ? '' : terse.dash(line.series)) ?? '').split(' ').filter(Boolean).map(Number),
        points: { show: line.xs.length <= 40, size: 5, width: 1.5, fill: () => css('--surface') },
      }))],
      hooks: { setCursor: [(plot) => showTip(plot, { x, y })] },
    };
  }

  function curves(host, { label, height = 280, x, y, lines }) {
    const node = el('div', { class: 'figure curves', role: 'img', 'aria-label': label });
    const head = el('div', { class: 'curve-title' }, y.label);
    node.append(head);
    host.append(node);
    const data = align(lines.map((line) => visiblePoints(line, x, y)), x.log);
    const width = () => Math.max(200, Math.min(mostWidth, Math.round(node.clientWidth)));
    const plot = new uPlot(options({ x, y, lines, label, height }, width()), data, node);
    const fit = () => { if (width() !== plot.width) plot.setSize({ width: width(), height }); };
    const observer = new ResizeObserver(fit);
    observer.observe(node);
    plot.over.addEventListener('pointerleave', () => terse.tip.hide());
    const view = {
      node, plot, fit,
      show: (i, visible) => plot.setSeries(i + 1, { show: visible }),
      destroy() {
        observer.disconnect();
        alive.delete(view);
        plot.destroy();
        node.remove();
      },
    };
    alive.add(view);
    return view;
  }

  // uPlot draws on a canvas, so it must draw again when the theme changes. Paper is light and narrow.
  const redraw = () => alive.forEach(({ plot }) => plot.redraw(false, true));
  if (typeof document !== 'undefined') {
    document.addEventListener('themechange', redraw);
    let before = null;
    const print = (on) => {
      const { dataset } = document.documentElement;
      if (on) before ??= dataset.theme ?? 'auto';
      if (on) dataset.theme = 'light';
      else if (before === 'auto') delete dataset.theme;
      else if (before) dataset.theme = before;
      if (!on) before = null;
      mostWidth = on ? PAPER : Infinity;
      alive.forEach(({ fit }) => fit());
      redraw();
    };
    window.addEventListener('beforeprint', () => print(true));
    window.addEventListener('afterprint', () => print(false));
    matchMedia('print').addEventListener('change', (event) => print(event.matches));
  }

  terse.curves = curves;
  terse.curveViews = alive;
})((globalThis.terse ??= {}));
