/*
 * Section 4, single values: how much of |x|² the largest values hold, and which coordinates were sent when.
 */
(function (terse) {
  'use strict';

  const { el, format } = terse;
  const ENTRY = 8; // bytes of a coordinate and its value

  // The recorded points, and all values, which hold all mass.
  function withWhole(fractions, mass) {
    const points = fractions.map((fraction, i) => [fraction, mass[i]]).filter(([fraction]) => fraction < 1);
    return [...points, [1, 1]];
  }

  // The mass of the largest `ratio` of the values, interpolated on a logarithmic axis between recorded fractions.
  function keptMass(fractions, mass, ratio) {
    const points = withWhole(fractions, mass).map(([fraction, share]) => [Math.log(fraction), share]);
    const x = Math.log(ratio);
    if (x <= points[0][0]) return (points[0][1] * ratio) / fractions[0];
    const i = points.findIndex(([at]) => at >= x);
    const [[a, p], [b, q]] = [points[i - 1], points[i]];
    return p + ((q - p) * (x - a)) / (b - a);
  }

  const nameOf = (tensor) => tensor.tensor ?? 'whole model';
  const option = (name) => ({ value: name, label: name });

  function drawMass(host, fractions, tensor, ratio) {
    const points = withWhole(fractions, tensor.topk_mass);
    return terse.figure(host, {
      label: `mass curve of ${nameOf(tensor)}`,
      height: 260,
      caption: 'The share of |x|² in the largest values. A curve far above the diagonal (dashed) suits sparse methods.',
      draw(fig) {
        const chart = fig.axes({
          x: {
            domain: [fractions[0], 1],
            scale: 'log',
            label: 'share of the values that are sent',
            format: format.percent,
          },
          y: { domain: [0, 1.04], label: 'kept mass', format: format.percent, ticks: [0, 0.25, 0.5, 0.75, 1] },
        });
        const diagonal = Array.from({ length: 41 }, (_, i) => fractions[0] ** (1 - i / 40)).map((x) => [x, x]);
        chart.line(diagonal, { color: 'var(--muted)', width: 1, dash: '4 3' });
        chart.line(points, { series: 0, label: 'mass' });
        chart.points(points, {
          series: 0,
          r: 3,
          tip: (i) => `largest ${format.percent(points[i][0])}: ${format.percent(points[i][1])} of |x|²`,
        });
        chart.points([[ratio(), keptMass(fractions, tensor.topk_mass, ratio())]], { series: 1, r: 6 });
      },
    });
  }

  function writeAnswer(text, fractions, tensor, ratio) {
    const count = Math.max(1, Math.round(ratio * tensor.size));
    text.replaceChildren(
      `The largest ${format.percent(ratio)}, ${format.count(count)} of ${format.count(tensor.size)} values, hold `,
      el('b', {}, format.percent(keptMass(fractions, tensor.topk_mass, ratio))), ' of |x|² and take ',
      el('b', {}, format.bytes(ENTRY * count)),
      ` instead of ${format.bytes(4 * tensor.size)}, as coordinates and values of 4 bytes each.`,
    );
  }

  function massAbsent(host) {
    const controls = el('div', { class: 'controls' });
    host.append(controls);
    terse.slider(controls, {
      label: 'ratio', min: 0.001, max: 1, scale: 'log', value: 0.01, format: format.percent,
      disabled: 'recorded by train --measure health',
    });
    terse.absent(host, 'This run has no mass curve.', 'train --measure health');
    return false;
  }

  // Returns whether there is something to see.
  function mass(host, line) {
    host.append(el('h3', {}, 'Mass in the largest values'));
    const complete = (tensor) => tensor.topk_mass?.length && tensor.topk_mass.every((share) => typeof share === 'number');
    const usable = (line?.tensors ?? []).filter(complete);
    if (usable.length === 0 || !line.fractions?.length) return massAbsent(host);
    const [controls, text] = [el('div', { class: 'controls' }), el('p', { class: 'answer', 'aria-live': 'polite' })];
    const figure = el('div');
    host.append(controls, text, figure);
    let view = null;
    const tensorOf = () => usable.find((tensor) => nameOf(tensor) === choice.value) ?? usable[0];
    const write = () => {
      writeAnswer(text, line.fractions, tensorOf(), ratio.value);
      view.redraw();
    };
    const rebuild = () => {
      figure.replaceChildren();
      view = drawMass(figure, line.fractions, tensorOf(), () => ratio.value);
      writeAnswer(text, line.fractions, tensorOf(), ratio.value);
    };
    const choice = terse.select(controls, {
      label: 'tensor', key: 'methods.mass', change: rebuild, options: usable.map(nameOf).map(option),
    });
    const ratio = terse.slider(controls, {
      label: 'ratio', key: 'methods.ratio', min: line.fractions[0], max: 1, scale: 'log', value: 0.01,
      format: format.percent, change: write,
    });
    rebuild();
    return true;
  }

  // ---- which coordinates were sent when

  function drawSent(host, name, lines) {
    const rows = lines
      .map((line) => ({ step: line.step, tensor: line.tensors.find((tensor) => nameOf(tensor) === name) }))
      .filter(({ tensor }) => tensor?.sent?.length);
    const columns = Math.max(...rows.map(({ tensor }) => tensor.sent.length));
    const most = Math.max(1, ...rows.flatMap(({ tensor }) => tensor.sent));
    const from = (c) => Math.floor((rows[0].tensor.size * c) / columns);
    const count = (r, c) => rows[r].tensor.sent[c] ?? 0;
    const range = (c) => `coordinates ${from(c)} to ${from(c + 1) - 1}`;
    terse.figure(host, {
      label: `coordinates of ${name} sent, by step`, height: rows.length * 20 + 46,
      caption: `Each cell counts the values sent from one of ${columns} equal ranges of the coordinates; the strongest `
        + `colour is ${format.count(most)}.`,
      draw: (fig) => fig.heat({
        rows: rows.map(({ step }) => `step ${step}`),
        columns: Array.from({ length: columns }, (_, c) => String(from(c))),
        label: 'first coordinate of the range',
        series: 0,
        value: (r, c) => count(r, c) / most,
        tip: (r, c) => `step ${rows[r].step}, ${range(c)}\n${format.count(count(r, c))} sent`,
      }),
    });
  }

  // Returns whether there is something to see.
  function sent(host, health) {
    host.append(el('h3', {}, 'Coordinates sent, by step'));
    const has = (tensor) => tensor.sent?.length > 0;
    // A tensor of another method can have zeros by chance, the whole model hardly.
    const lines = health.filter((line) => line.tensors.some((tensor) => tensor.tensor === null && has(tensor)));
    const names = [...new Set(lines.flatMap((line) => line.tensors.filter(has).map(nameOf)))];
    if (names.length === 0) {
      if (health.length) terse.absent(host, 'The method of this run is not sparse: it sends every coordinate.');
      else terse.absent(host, 'This run has no counts of the coordinates that were sent.', 'train --measure health');
      return false;
    }
    const [controls, figure] = [el('div', { class: 'controls' }), el('div')];
    host.append(controls, figure);
    const change = () => {
      figure.replaceChildren();
      drawSent(figure, choice.value, lines);
    };
    const choice = terse.select(controls, { label: 'tensor', key: 'methods.sent', change, options: names.map(option) });
    change();
    return true;
  }

  terse.report.sparse = { mass, sent, keptMass };
})((globalThis.terse ??= {}));
