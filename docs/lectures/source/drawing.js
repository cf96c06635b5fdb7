/*
 * Shapes that several scenes draw, in terse.drawing:
 *   HEIGHT                  of a figure that fills its scene, in pixels;  percent(share): "12.3 %"
 *   matrix(fig, rows, {x, y, cell, title, most, note, values, dim(r, c)})   a heat map: orange above zero, blue below;
 *       `most` has full colour; `values` writes the numbers; returns {right, bottom}
 *   dot(chart, x, y, {series, r, hollow});  curve(f, from, to, n): points of a function
 *   atLeast(fig, width)     the figure has `width` pixels of its own, and shrinks in a narrower window
 *   clip(chart)             nothing is drawn outside of the plot from now on
 *   power(value)            "10⁻³" for powers of ten, otherwise as format.number
 *   smooth(points, n)        running means of n points, to read noisy losses
 */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, mean } = terse.maths;

  function matrix(fig, rows, { x, y, cell, title, most, note, values = false, dim }) {
    const height = Array.isArray(cell) ? cell[1] : cell;
    const width = Array.isArray(cell) ? cell[0] : cell;
    if (title) fig.add('text', { x, y: y - 8, class: 'title' }, title);
    rows.forEach((row, r) =>
      row.forEach((value, c) => {
        const absent = value === null || value === undefined;
        const share = absent ? 0 : Math.min(1, Math.abs(value) / most);
        fig.add('rect', {
          x: x + c * width,
          y: y + r * height,
          width: width - 1.5,
          height: height - 1.5,
          rx: 2,
          fill: absent ? 'var(--raised)' : terse.series(value < 0 ? 0 : 1),
          'fill-opacity': absent ? 1 : (0.06 + 0.94 * share) * (dim?.(r, c) ? 0.2 : 1),
          'data-tip': absent ? null : format.number(value),
        });
        if (values && !absent) {
          fig.add(
            'text',
            { x: x + (c + 0.5) * width, y: y + (r + 0.5) * height + 4, 'text-anchor': 'middle', class: 'small value' },
            values(value),
          );
        }
      }),
    );
    const bottom = y + rows.length * height;
    if (note) fig.add('text', { x, y: bottom + 16, class: 'small' }, note);
    return { right: x + rows[0].length * width, bottom };
  }

  const curve = (f, from, to, n = 120) => range(n + 1, (i) => from + ((to - from) * i) / n).map((x) => [x, f(x)]);

  function dot(chart, x, y, { series = 0, r = 6, hollow = false } = {}) {
    return chart.put('circle', {
      cx: chart.x(x),
      cy: chart.y(y),
      r,
      fill: hollow ? 'var(--surface)' : terse.series(series),
      stroke: hollow ? terse.series(series) : 'var(--surface)',
      'stroke-width': 2,
    });
  }

  function atLeast(fig, width) {
    if (fig.width < width) fig.root.setAttribute('viewBox', `0 0 ${width} ${fig.height}`);
  }

  let clips = 0;
  function clip(chart) {
    const id = `clip-${++clips}`;
    const box = {
      x: chart.left - 10,
      y: chart.top - 6,
      width: chart.right - chart.left + 20,
      height: chart.bottom - chart.top + 6,
    };
    chart.fig.add('clipPath', { id }, terse.svg('rect', box));
    chart.layer.setAttribute('clip-path', `url(#${id})`);
  }

  function power(value) {
    const exponent = Math.log10(value);
    if (!Number.isInteger(exponent) || Math.abs(exponent) < 2) return format.number(value);
    return (
      '10' +
      String(exponent)
        .replace('-', '⁻')
        .replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit])
    );
  }

  function smooth(points, n) {
    return points.map(([x], i) => [x, mean(points.slice(Math.max(0, i - n + 1), i + 1).map(([, y]) => y))]);
  }

  terse.drawing = {
    HEIGHT: 283,
    percent: (share) => format.percent(share, 3),
    matrix,
    curve,
    dot,
    atLeast,
    clip,
    power,
    smooth,
  };
})((globalThis.terse ??= {}));
