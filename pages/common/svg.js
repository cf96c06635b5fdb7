/*
 * Figures in SVG for the report and the lectures, without dependencies. Colours are CSS variables, so that a figure
 * follows the theme by itself.
 *
 * Elements
 *   terse.el(tag, attributes, ...children)    an HTML element; children are nodes or texts; an attribute that begins
 *   terse.svg(tag, attributes, ...children)   with "on" is a listener, null and false leave an attribute out; the
 *                                             second makes an SVG element
 *   data-tip="text"                           on any element: the text is shown beside it on hover and on focus
 *   terse.series(i), terse.dash(i)            colour and dash pattern of data series i = 0, 1, …
 *   terse.format.{number,count,bytes,seconds,percent,rate}(value)   texts such as "3.14", "1 234", "370.4 KB", "12 ms"
 *
 * Figures
 *   const view = terse.figure(host, {height, label, caption, draw(fig)})
 *     Appends a figure to `host` and draws it; draws again when its width changes. `label` describes the figure for
 *     screen readers. `height` is a number of pixels, or a function of the width. view.redraw() draws again, after data
 *     or a slider have changed; view.node is the element; view.caption(text) changes the caption.
 *   fig.width, fig.height                     pixels
 *   fig.add(tag, attributes, ...children)     an SVG element of your own, in pixels
 *   fig.axes({x, y, left, top, right, bottom})   a chart. An axis is {domain: [low, high], scale: "linear" | "log",
 *                                             label, format, ticks: [values] or a number} or {bands: [labels], label}
 *   fig.stacks({rows: [{label, note, parts: [{value, series, label}]}], format, label, max})
 *                                             horizontal stacked bars
 *   fig.heat({rows: [labels], columns: [labels], value(r, c), tip(r, c), series, label})
 *                                             value in [0, 1] or null
 *
 * Charts: positions are values of the axes
 *   chart.x(value), chart.y(value)            pixels; a band's middle for an axis of bands; chart.band its width
 *   chart.left, right, top, bottom            the edges of the plot in pixels
 *   chart.line([[x, y], …], {series, color, width, dash, label})   null or NaN interrupts the line
 *   chart.area([[x, low, high], …], {series, color, opacity})
 *   chart.points([[x, y], …], {series, color, r, tip(i), hollow})
 *   chart.bars([{x, value, from, series, tip}], {width})   vertical bars; `width` is a share of the band
 *   chart.rule({x | y, label})                a dashed line across the plot with a label
 *   chart.arrow([x0, y0], [x1, y1], {series, color, width})
 *   chart.text(x, y, text, {anchor, class, dx, dy})
 *   chart.follow([{label, points, series}], {x: format, y: format})   on hover: a line at the nearest x and all values
 *   terse.extent(values, {log, zero, pad})    [low, high] of the finite values
 *   terse.legend(host, [{label, series, dash, mark: "line" | "box", pressed}], onToggle(i, pressed))
 */
(function (terse) {
  'use strict';

  const SVG = 'http://www.w3.org/2000/svg';

  function build(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
  }

  const el = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

  const series = (i) => `var(--series-${(i % 8) + 1})`;
  const DASHES = [null, null, null, null, '7 3', '2 3', '9 3 2 3', '4 2'];
  const dash = (i) => DASHES[i % 8];

  // ---- numbers as text

  function significant(value, digits) {
    if (value === 0) return '0';
    const exponent = Math.floor(Math.log10(Math.abs(value)) + 1e-12);
    if (exponent < -4 || exponent > 14) return value.toExponential(Math.max(0, digits - 1)).replace('e+', 'e');
    const text = value.toFixed(Math.min(20, Math.max(0, digits - 1 - exponent)));
    return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  }

  const grouped = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
  const known = (value) => typeof value === 'number' && Number.isFinite(value);

  function scaled(value, units, digits) {
    if (!known(value)) return '–';
    let [factor, unit] = units[0];
    for (const [f, u] of units) if (Math.abs(value) >= f * 0.9995) [factor, unit] = [f, u];
    return significant(value / factor, digits ?? 3) + '\u202f' + unit;
  }

  const format = {
    number: (value, digits = 3) => (known(value) ? significant(value, digits).replace(/^-/, '\u2212') : '–'),
    count: (value) => (known(value) ? grouped(String(Math.round(value))) : '–'),
    bytes: (value, digits = 3) => scaled(value, [[1, 'B'], [1e3, 'KB'], [1e6, 'MB'], [1e9, 'GB'], [1e12, 'TB']], digits),
    seconds: (value, digits = 3) => (value === 0 ? '0\u202fs' : scaled(value,
      [[1e-9, 'ns'], [1e-6, 'µs'], [1e-3, 'ms'], [1, 's'], [60, 'min'], [3600, 'h'], [86400, 'd']], digits)),
    percent: (share, digits = 3) => (known(share) ? significant(100 * share, digits) + '\u202f%' : '–'),
    rate: (bits) => scaled(bits, [[1, 'bit/s'], [1e3, 'kbit/s'], [1e6, 'Mbit/s'], [1e9, 'Gbit/s']]),
  };

  // ---- scales

  function extent(values, { log = false, zero = false, pad = 0.04 } = {}) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of values) {
      if (!known(value) || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) return log ? [1, 10] : [0, 1];
    if (zero) [low, high] = [Math.min(0, low), Math.max(0, high)];
    if (log) return low === high ? [low / 2, high * 2] : [low, high];
    if (low === high) return zero && high > 0 ? [0, high] : [low - 0.5 * (Math.abs(low) || 1), high + 0.5 * (Math.abs(high) || 1)];
    const room = pad * (high - low);
    return [zero && low === 0 ? 0 : low - room, zero && high === 0 ? 0 : high + room];
  }

  function linearTicks([low, high], wanted) {
    const step = 10 ** Math.floor(Math.log10((high - low) / wanted));
    const error = (high - low) / wanted / step;
    const size = step * (error >= 7.1 ? 10 : error >= 3.2 ? 5 : error >= 1.5 ? 2 : 1);
    const ticks = [];
    for (let i = Math.ceil(low / size - 1e-9); i * size <= high + 1e-9 * size; ++i) ticks.push(Number((i * size).toPrecision(12)));
    return ticks;
  }

  function logTicks([low, high], wanted) {
    const decades = Math.log10(high / low);
    const ticks = [];
    const every = Math.max(1, Math.ceil(decades / wanted));
    const within = decades < 2 ? [1, 2, 5] : [1];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); ++e) {
      if (((e % every) + every) % every !== 0) continue;
      for (const m of within) {
        const tick = Number((m * 10 ** e).toPrecision(6));
        if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
      }
    }
    return ticks.length > 1 ? ticks : [low, high];
  }

  // A function from values to pixels, with the axis' ticks.
  function makeScale(axis, from, to, wanted) {
    if (axis.bands) {
      const band = (to - from) / Math.max(1, axis.bands.length);
      const scale = (value) => from + band * (axis.bands.indexOf(value) + 0.5);
      return Object.assign(scale, { ticks: axis.bands, band: Math.abs(band) });
    }
    const log = axis.scale === 'log';
    const map = log ? Math.log : (value) => value;
    const [low, high] = axis.domain;
    const scale = (value) => from + ((map(value) - map(low)) / (map(high) - map(low) || 1)) * (to - from);
    const count = typeof axis.ticks === 'number' ? axis.ticks : wanted;
    const ticks = Array.isArray(axis.ticks) ? axis.ticks : (log ? logTicks : linearTicks)(axis.domain, count);
    return Object.assign(scale, { ticks, band: Math.abs(to - from) / 20 });
  }

  // ---- charts

  let ruler = null;

  // Pixels of a text in a figure's font.
  function textWidth(text) {
    if (!ruler) {
      ruler = document.createElement('canvas').getContext('2d');
      ruler.font = '12px ' + getComputedStyle(document.documentElement).getPropertyValue('--sans');
    }
    return ruler.measureText(String(text)).width;
  }

  function shorten(text, pixels) {
    if (textWidth(text) <= pixels) return text;
    let length = text.length - 1;
    while (length > 2 && textWidth(text.slice(0, length) + '…') > pixels) --length;
    return text.slice(0, length) + '…';
  }

  function drawAxisX(fig, chart, axis, layer) {
    const texts = chart.x.ticks.map((tick) => (axis.bands ? String(tick) : (axis.format ?? format.number)(tick)));
    const widest = Math.max(0, ...texts.map(textWidth));
    const space = axis.bands ? chart.x.band : Math.abs(chart.x(chart.x.ticks.at(-1)) - chart.x(chart.x.ticks[0])) / Math.max(1, texts.length - 1);
    const every = Math.max(1, Math.ceil((widest + 8) / (space || widest)));
    chart.x.ticks.forEach((tick, i) => {
      const at = chart.x(tick);
      if (!axis.bands) layer.append(svg('line', { class: 'axis', x1: at, x2: at, y1: chart.bottom, y2: chart.bottom + 4 }));
      if (i % every !== 0) return;
      const half = textWidth(texts[i]) / 2;
      const inside = Math.min(Math.max(at, half), fig.width - half);
      layer.append(svg('text', { x: inside, y: chart.bottom + 17, 'text-anchor': 'middle' }, texts[i]));
    });
    layer.append(svg('line', { class: 'axis', x1: chart.left, x2: chart.right, y1: chart.bottom, y2: chart.bottom }));
    if (axis.label) {
      const half = textWidth(axis.label) / 2;
      const middle = Math.max(half, Math.min((chart.left + chart.right) / 2, fig.width - half));
      layer.append(svg('text', { x: middle, y: chart.bottom + 35, 'text-anchor': 'middle' }, axis.label));
    }
  }

  function drawAxisY(fig, chart, axis, layer) {
    for (const tick of chart.y.ticks) {
      const at = chart.y(tick);
      if (!axis.bands) layer.append(svg('line', { class: 'grid', x1: chart.left, x2: chart.right, y1: at, y2: at }));
      const text = axis.bands ? shorten(String(tick), chart.left - 10) : (axis.format ?? format.number)(tick);
      layer.append(svg('text', { x: chart.left - 8, y: at + 4, 'text-anchor': 'end' }, text));
    }
    if (axis.label) layer.append(svg('text', { x: 0, y: chart.top - 12 }, axis.label));
  }

  function pathOf(chart, points) {
    let path = '';
    let pen = false;
    for (const [x, y] of points) {
      const [a, b] = [chart.x(x), chart.y(y)];
      const visible = y !== null && y !== undefined && Number.isFinite(a) && Number.isFinite(b);
      if (visible) path += (pen ? 'L' : 'M') + a.toFixed(2) + ' ' + b.toFixed(2);
      pen = visible;
    }
    return path;
  }

  const colour = (style) => style.color ?? series(style.series ?? 0);

  const chartMethods = {
    line(points, style = {}) {
      const pattern = style.dash === undefined && style.series !== undefined ? dash(style.series) : style.dash;
      return this.put('path', {
        d: pathOf(this, points), fill: 'none', stroke: colour(style), 'stroke-width': style.width ?? 1.75,
        'stroke-dasharray': pattern || null, 'stroke-linejoin': 'round', 'stroke-linecap': 'round', class: 'series',
        'data-series': style.label ?? null,
      });
    },
    area(points, style = {}) {
      const up = points.map(([x, low, high]) => [x, high]);
      const down = points.map(([x, low]) => [x, low]).reverse();
      const path = pathOf(this, up) + pathOf(this, down).replace('M', 'L') + 'Z';
      return this.put('path', { d: path, fill: colour(style), 'fill-opacity': style.opacity ?? 0.2, class: 'area' });
    },
    points(points, style = {}) {
      return points.map(([x, y], i) => this.put('circle', {
        cx: this.x(x), cy: this.y(y), r: style.r ?? 3.5, class: 'point',
        fill: style.hollow ? 'var(--surface)' : colour(style), stroke: colour(style), 'stroke-width': 1.5,
        'data-tip': style.tip?.(i) ?? null,
      }));
    },
    bars(items, style = {}) {
      const width = Math.max(1, this.x.band * (style.width ?? 0.78));
      return items.map((item) => {
        const [a, b] = [this.y(item.from ?? this.base), this.y(item.value)];
        return this.put('rect', {
          x: this.x(item.x) - width / 2, width, y: Math.min(a, b), height: Math.max(item.value ? 0.75 : 0, Math.abs(a - b)),
          fill: colour(item), class: 'bar', 'data-tip': item.tip ?? null,
        });
      });
    },
    rule({ x, y, label }) {
      const place = x !== undefined
        ? { x1: this.x(x), x2: this.x(x), y1: this.top, y2: this.bottom }
        : { x1: this.left, x2: this.right, y1: this.y(y), y2: this.y(y) };
      this.put('line', { class: 'rule', ...place });
      if (!label) return;
      const late = x !== undefined && this.x(x) > (this.left + this.right) / 2;
      const at = x !== undefined ? { x: this.x(x) + (late ? -5 : 5), y: this.top + 11, 'text-anchor': late ? 'end' : 'start' }
        : { x: this.right, y: this.y(y) - 5, 'text-anchor': 'end' };
      this.put('text', at, label);
    },
    arrow([x0, y0], [x1, y1], style = {}) {
      const [a, b, c, d] = [this.x(x0), this.y(y0), this.x(x1), this.y(y1)];
      const length = Math.hypot(c - a, d - b);
      if (!(length > 0)) return;
      const [u, v, size] = [(c - a) / length, (d - b) / length, Math.min(8, length * 0.6)];
      const head = `M${c} ${d}L${c - size * (u + v / 2)} ${d - size * (v - u / 2)}L${c - size * (u - v / 2)} ${d - size * (v + u / 2)}Z`;
      const width = style.width ?? 1.75;
      this.put('line', { x1: a, y1: b, x2: c - u * size * 0.7, y2: d - v * size * 0.7, stroke: colour(style), 'stroke-width': width, class: 'arrow' });
      this.put('path', { d: head, fill: colour(style) });
    },
    text(x, y, text, style = {}) {
      return this.put('text', {
        x: this.x(x) + (style.dx ?? 0), y: this.y(y) + (style.dy ?? 4), 'text-anchor': style.anchor ?? 'start', class: style.class ?? 'value',
      }, text);
    },
    follow(lines, formats = {}) {
      const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].filter(known);
      if (xs.length === 0) return;
      const mark = this.put('line', { class: 'rule', y1: this.top, y2: this.bottom, visibility: 'hidden' });
      const valuesAt = lines.map(({ points }) => new Map(points));
      const show = (event) => {
        const box = this.fig.root.getBoundingClientRect();
        const pixel = ((event.clientX - box.left) / box.width) * this.fig.width;
        const x = xs.reduce((best, now) => (Math.abs(this.x(now) - pixel) < Math.abs(this.x(best) - pixel) ? now : best));
        for (const name of ['x1', 'x2']) mark.setAttribute(name, this.x(x));
        mark.setAttribute('visibility', 'visible');
        const texts = lines.map(({ label }, i) => [label, valuesAt[i].get(x)]).filter(([, y]) => known(y))
          .map(([label, y]) => `${label}: ${(formats.y ?? format.number)(y)}`);
        tip.show([(formats.x ?? format.number)(x), ...texts].join('\n'), event.clientX, event.clientY);
      };
      const hide = () => { mark.setAttribute('visibility', 'hidden'); tip.hide(); };
      this.put('rect', {
        x: this.left, y: this.top, width: Math.max(0, this.right - this.left), height: Math.max(0, this.bottom - this.top),
        fill: 'transparent', onpointermove: show, onpointerleave: hide,
      });
    },
  };

  function axes(fig, { x, y, left, top, right = 12, bottom }) {
    const yTexts = y.bands ? y.bands.map(String) : makeScale(y, 1, 0, 5).ticks.map(y.format ?? format.number);
    const margin = left ?? Math.min(fig.width * 0.36, 14 + Math.max(0, ...yTexts.map(textWidth)));
    const chart = Object.create(chartMethods);
    Object.assign(chart, {
      fig, left: margin, right: fig.width - right, top: top ?? (y.label ? 26 : 10),
      bottom: fig.height - (bottom ?? (x.label ? 42 : 24)),
    });
    const span = chart.right - chart.left;
    chart.x = makeScale(x, chart.left, chart.right, Math.max(2, Math.min(8, Math.floor(span / 80))));
    chart.y = y.bands ? makeScale(y, chart.top, chart.bottom, 0)
      : makeScale(y, chart.bottom, chart.top, Math.max(2, Math.min(6, Math.floor((chart.bottom - chart.top) / 40))));
    chart.band = chart.x.band;
    chart.base = y.bands ? 0 : y.scale === 'log' ? y.domain[0] : Math.max(y.domain[0], Math.min(0, y.domain[1]));
    const back = fig.add('g', { class: 'axes' });
    drawAxisY(fig, chart, y, back);
    drawAxisX(fig, chart, x, back);
    chart.layer = fig.add('g', { class: 'marks' });
    chart.put = (tag, attributes, ...children) => {
      const node = svg(tag, attributes, ...children);
      chart.layer.append(node);
      return node;
    };
    return chart;
  }

  function stacks(fig, { rows, format: write = format.number, label, max }) {
    const total = (row) => row.parts.reduce((sum, part) => sum + (part.value || 0), 0);
    const high = max ?? Math.max(...rows.map(total), 0);
    const narrow = fig.width < 520;
    const notes = rows.map((row) => row.note ?? write(total(row)));
    const widest = Math.max(0, ...notes.map(textWidth));
    const top = narrow ? 18 : 0;
    const left = narrow ? 1 : Math.min(fig.width * 0.32, 12 + Math.max(0, ...rows.map((row) => textWidth(row.label))));
    const chart = axes(fig, {
      x: { domain: [0, high || 1], label, format: write, ticks: narrow ? 3 : 6 }, y: { bands: rows.map((row, i) => i), format: () => '' },
      left, top: 4, right: widest + 14,
    });
    chart.fig.root.querySelector('.axes').querySelectorAll('text[text-anchor="end"]').forEach((node) => node.remove());
    const slot = (chart.bottom - chart.top) / Math.max(1, rows.length);
    const thick = Math.min(26, Math.max(4, slot - top - 8));
    rows.forEach((row, r) => {
      const y = chart.top + slot * r + top + (slot - top - thick) / 2;
      const name = narrow ? { x: 1, y: y - 6 } : { x: left - 8, y: y + thick / 2 + 4, 'text-anchor': 'end' };
      chart.put('text', { ...name, class: 'value' }, shorten(row.label, narrow ? fig.width : left - 9));
      let sum = 0;
      for (const part of row.parts) {
        if (!(part.value > 0)) continue;
        const [a, b] = [chart.x(sum), chart.x(sum + part.value)];
        chart.put('rect', {
          x: a, y, width: Math.max(0.5, b - a), height: thick, fill: colour(part), class: 'bar', 'fill-opacity': part.opacity ?? null,
          'data-tip': part.tip ?? `${row.label}\n${part.label}: ${write(part.value)}`, stroke: 'var(--surface)', 'stroke-width': b - a > 3 ? 1 : 0,
        });
        sum += part.value;
      }
      chart.put('text', { x: chart.x(sum) + 7, y: y + thick / 2 + 4, class: 'value' }, notes[r]);
    });
    return chart;
  }

  function heat(fig, { rows, columns, value, tip: tipOf, series: which = 0, label }) {
    const chart = axes(fig, { x: { bands: columns, label }, y: { bands: rows }, top: 4 });
    const height = (chart.bottom - chart.top) / Math.max(1, rows.length);
    const width = (chart.right - chart.left) / Math.max(1, columns.length);
    const gap = width > 6 ? 1 : 0;
    rows.forEach((row, r) => columns.forEach((column, c) => {
      const share = value(r, c);
      if (share === null || share === undefined) return;
      chart.put('rect', {
        x: chart.left + c * width, y: chart.top + r * height, width: width - gap, height: Math.max(1, height - 1), class: 'cell',
        fill: share > 0 ? series(which) : 'var(--raised)', 'fill-opacity': share > 0 ? 0.12 + 0.88 * Math.min(1, share) : null,
        'data-tip': tipOf?.(r, c) ?? null,
      });
    }));
    return chart;
  }

  // ---- figures

  function figure(host, { height = 260, label, caption, draw }) {
    const root = svg('svg', { role: 'img', 'aria-label': label });
    const below = el('p', { class: 'caption', hidden: !caption }, caption ?? '');
    const node = el('div', { class: 'figure' }, root, below);
    host.append(node);
    const fig = { root };
    fig.add = (tag, attributes, ...children) => {
      const child = svg(tag, attributes, ...children);
      root.append(child);
      return child;
    };
    fig.axes = (options) => axes(fig, options);
    fig.stacks = (options) => stacks(fig, options);
    fig.heat = (options) => heat(fig, options);
    let drawn = 0;
    const redraw = () => {
      const width = Math.round(node.clientWidth);
      if (width === 0) return;
      drawn = width;
      fig.width = width;
      fig.height = Math.round(typeof height === 'function' ? height(width) : height);
      root.setAttribute('viewBox', `0 0 ${fig.width} ${fig.height}`);
      root.replaceChildren();
      draw(fig);
    };
    new ResizeObserver(() => { if (Math.round(node.clientWidth) !== drawn) redraw(); }).observe(node);
    redraw();
    return {
      node, redraw,
      caption(text) {
        below.textContent = text;
        below.hidden = !text;
      },
    };
  }

  function legend(host, items, onToggle) {
    const list = el('ul', { class: 'legend' });
    items.forEach((item, i) => {
      const color = item.color ?? series(item.series ?? i);
      const mark = item.mark === 'box'
        ? svg('rect', { x: 5, y: 0, width: 12, height: 12, rx: 2, fill: color, 'fill-opacity': item.opacity ?? null })
        : svg('line', { x1: 1, x2: 21, y1: 6, y2: 6, stroke: color, 'stroke-width': item.width ?? 2.5, 'stroke-dasharray': item.dash ?? null });
      const content = [svg('svg', { viewBox: '0 0 22 12', 'aria-hidden': 'true' }, mark), el('span', {}, item.label)];
      if (!onToggle) {
        list.append(el('li', {}, ...content));
        return;
      }
      const button = el('button', { type: 'button', 'aria-pressed': String(item.pressed ?? true) }, ...content);
      button.addEventListener('click', () => {
        const pressed = button.getAttribute('aria-pressed') !== 'true';
        button.setAttribute('aria-pressed', String(pressed));
        onToggle(i, pressed);
      });
      list.append(el('li', {}, button));
    });
    host.append(list);
    return list;
  }

  // ---- tooltips

  const tip = {
    box: null,
    show(text, x, y) {
      if (!this.box) {
        this.box = el('div', { id: 'terse-tip', role: 'tooltip' });
        document.body.append(this.box);
      }
      this.box.textContent = text;
      this.box.hidden = false;
      const { offsetWidth: width, offsetHeight: height } = this.box;
      const left = x + 14 + width > innerWidth - 8 ? x - width - 14 : x + 14;
      this.box.style.left = Math.max(8, Math.min(left, innerWidth - width - 8)) + 'px';
      this.box.style.top = Math.max(8, y - height - 12 < 8 ? y + 18 : y - height - 12) + 'px';
    },
    hide() {
      if (this.box) this.box.hidden = true;
    },
  };

  function watchTips() {
    const target = (event) => event.target.closest?.('[data-tip]');
    document.addEventListener('pointermove', (event) => {
      const node = target(event);
      if (node) tip.show(node.dataset.tip, event.clientX, event.clientY);
    });
    document.addEventListener('pointerout', (event) => { if (target(event)) tip.hide(); });
    document.addEventListener('focusin', (event) => {
      const node = target(event);
      if (!node) return tip.hide();
      const box = node.getBoundingClientRect();
      tip.show(node.dataset.tip, box.left + box.width / 2, box.top);
    });
    document.addEventListener('focusout', () => tip.hide());
    document.addEventListener('scroll', () => tip.hide(), { passive: true });
    document.addEventListener('keydown', (event) => { if (event.key === 'Escape') tip.hide(); });
  }
  if (typeof document !== 'undefined') watchTips();

  Object.assign(terse, { el, svg, series, dash, format, extent, figure, legend, tip });
})((globalThis.terse ??= {}));
