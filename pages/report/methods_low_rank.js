/*
 * Section 4, matrices: the singular values of a tensor, and what a rank keeps and costs.
 */
(function (terse) {
  'use strict';

  const { el, format, report } = terse;

  // The share of |X|^2 that the best approximation of this rank keeps.
  function keptEnergy(tensor, rank) {
    const sum = tensor.singular_values.slice(0, rank).reduce((total, value) => total + value * value, 0);
    return tensor.energy > 0 ? Math.min(1, sum / tensor.energy) : 0;
  }

  const bytesOf = (tensor, rank) => 4 * rank * (tensor.rows + tensor.cols);

  function drawValues(host, tensor, rank) {
    const values = tensor.singular_values;
    return terse.figure(host, {
      label: `singular values of ${tensor.tensor}`,
      height: 240,
      caption: 'The largest singular values; those within the rank are coloured.',
      draw(fig) {
        const chart = fig.axes({
          x: { bands: values.map((_, i) => String(i + 1)), label: 'number' },
          y: { domain: terse.extent(values, { zero: true }), label: 'singular value' },
        });
        chart.bars(
          values.map((value, i) => ({
            x: String(i + 1),
            value,
            series: i < rank() ? 0 : 6,
            tip: `singular value ${i + 1}: ${format.number(value)}`,
          })),
        );
        chart.layer.querySelectorAll('.bar').forEach((bar, i) => {
          if (i >= rank()) bar.setAttribute('fill-opacity', 0.35);
        });
      },
    });
  }

  function drawEnergy(host, tensor, rank) {
    const points = tensor.singular_values.map((_, i) => [i + 1, keptEnergy(tensor, i + 1)]);
    return terse.figure(host, {
      label: `energy kept by rank of ${tensor.tensor}`,
      height: 240,
      caption: 'The share of |X|² that the best approximation of each rank keeps. PowerSGD approaches it from below.',
      draw(fig) {
        const chart = fig.axes({
          x: {
            domain: [0.5, points.length + 0.5],
            label: 'rank',
            ticks: points.map(([r]) => r).filter((r) => points.length <= 8 || r % 2 === 0),
          },
          y: { domain: [0, 1.04], label: 'kept energy', format: format.percent, ticks: [0, 0.25, 0.5, 0.75, 1] },
        });
        chart.line(points, { series: 0, label: 'kept energy' });
        chart.points(
          points.map(([r, y]) => [r, y]),
          { series: 0, r: 3, tip: (i) => `rank ${i + 1}: ${format.percent(points[i][1])}` },
        );
        chart.points([[rank(), keptEnergy(tensor, rank())]], { series: 1, r: 6 });
      },
    });
  }

  function writeAnswer(text, tensor, rank) {
    const [bytes, all] = [bytesOf(tensor, rank), 4 * tensor.rows * tensor.cols];
    text.replaceChildren(
      `Rank ${rank} keeps at most `, el('b', {}, format.percent(keptEnergy(tensor, rank))), ' of |X|² and sends ',
      el('b', {}, format.bytes(bytes)), ` instead of ${format.bytes(all)}: `,
      bytes < all ? `${format.number(all / bytes)} times fewer bytes.` : 'no fewer bytes.',
    );
  }

  function drawAbsent(host) {
    const controls = el('div', { class: 'controls' });
    host.append(controls);
    terse.slider(controls, {
      label: 'rank', min: 1, max: 16, step: 1, value: 1, disabled: 'recorded by train --measure health',
    });
    terse.absent(host, 'This run has no singular values.', 'train --measure health');
    return false;
  }

  // Returns whether there is something to see.
  function draw(host, line) {
    host.append(el('h3', {}, 'Singular values'));
    const matrices = (line?.tensors ?? []).filter((tensor) => tensor.tensor !== null && tensor.singular_values?.length);
    if (matrices.length === 0) return drawAbsent(host);
    const [controls, text] = [el('div', { class: 'controls' }), el('p', { class: 'answer', 'aria-live': 'polite' })];
    const [left, right] = [el('div'), el('div')];
    host.append(controls, text, el('div', { class: 'columns' }, left, right));
    const most = Math.max(...matrices.map((tensor) => tensor.singular_values.length));
    const largest = matrices.reduce((best, now) => (now.rows * now.cols > best.rows * best.cols ? now : best));
    let views = [];
    const tensorOf = () => matrices.find((tensor) => tensor.tensor === choice.value) ?? largest;
    const current = () => Math.min(rank.value, tensorOf().singular_values.length);
    const write = () => {
      writeAnswer(text, tensorOf(), current());
      views.forEach((view) => view.redraw());
    };
    const rebuild = () => {
      [left, right].forEach((place) => place.replaceChildren());
      views = [drawValues(left, tensorOf(), current), drawEnergy(right, tensorOf(), current)];
      writeAnswer(text, tensorOf(), current());
    };
    const choice = terse.select(controls, {
      label: 'tensor', key: 'methods.matrix', change: rebuild, value: largest.tensor,
      options: matrices.map(({ tensor, rows, cols }) => ({ value: tensor, label: `${tensor} (${rows} × ${cols})` })),
    });
    const rank = terse.slider(controls, {
      label: 'rank', key: 'methods.rank', min: 1, max: most, step: 1, value: Math.min(2, most), change: write,
    });
    rebuild();
    return true;
  }

  terse.report.lowRank = { draw, keptEnergy, bytesOf };
})((globalThis.terse ??= {}));
