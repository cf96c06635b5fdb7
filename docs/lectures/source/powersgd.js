/* The lecture on PowerSGD: Vogels, Karimireddy and Jaggi, arXiv 1905.13727. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, sum, norm, random, transposed, product, orthonormal } = terse.maths;
  const { matrix, dot, clip, power, smooth } = terse.drawing;
  const HEIGHT = 283;
  const percent = (share) => format.percent(share, 3);
  const rowsOf = (values, columns) => range(values.length / columns, (r) => values.slice(r * columns, (r + 1) * columns));
  const added = (a, b, factor = 1) => a.map((row, r) => row.map((value, c) => value + factor * b[r][c]));
  const flat = (rows) => rows.flat();

  // -------------------------------------------------------------------------------------- 1: turning to the long axis

  // M maps the unit circle to an ellipse with half-axes 1 and `ratio`; its long axis has the angle 0.6, its source 1.1.
  function ellipseMatrix(ratio) {
    const turn = (angle) => [[Math.cos(angle), -Math.sin(angle)], [Math.sin(angle), Math.cos(angle)]];
    return product(product(turn(0.6), [[1, 0], [0, ratio]]), transposed(turn(1.1)));
  }

  // The unit vectors q and p = M q of `steps` power iterations: q is M^T p, normalised.
  function iterations(m, steps) {
    const column = (v) => v.map((value) => [value]);
    const unit = (rows) => { const v = flat(rows); return v.map((value) => value / norm(v)); };
    let q = [Math.cos(1.1 + 1.45), Math.sin(1.1 + 1.45)];
    return range(steps + 1, () => {
      const image = flat(product(m, column(q)));
      const now = { q, image, p: unit(column(image)) };
      q = unit(product(transposed(m), column(now.p)));
      return now;
    });
  }

  const ellipse = {
    id: 'ellipse',
    title: 'A power iteration turns to the long axis',
    lead: 'M maps the circle to an ellipse. Each step p = M q, q = Mᵀ p turns q towards what M stretches most.',
    columns: '3fr 2fr',
    command: () => 'explain powersgd:rank=1 --shape 4x6',
    made: 'Computed in this page for a 2 × 2 matrix. The program shows one such step of a 4 × 6 matrix, byte by byte.',
    question: 'What does one iteration cost, compared with an SVD, and why is one enough?',
    answer: 'Two products with thin matrices: 4 n m r operations. PowerSGD starts each step from the Q of the step before. Gradients '
      + 'change slowly, so the iteration continues over the steps of training.',
    notes: ['Step, then make the ellipse rounder and step again: the angle to the long axis falls by (s₂/s₁)² each time, the missing energy '
      + 'by the square of that.',
      'With equal singular values the iteration does not turn at all. That is harmless: every direction is then as good.'],
    build(stage) {
      const MOST = 8;
      const step = terse.stepper(stage.controls, { label: 'iteration', key: 'ellipse.step', min: 0, max: MOST, value: 0, play: 900, change: () => update() });
      const ratio = terse.slider(stage.controls, { label: 's₂/s₁', key: 'ellipse.ratio', min: 0.05, max: 1, step: 0.05, value: 0.6, change: () => update() });
      const readout = stage.readout();
      let all = iterations(ellipseMatrix(ratio.value), MOST);
      const kept = (k) => sum(flat(product(transposed(ellipseMatrix(ratio.value)), all[k].p.map((v) => [v]))).map((v) => v * v)) / (1 + ratio.value ** 2);
      const plane = terse.figure(stage.figures, {
        height: HEIGHT, label: 'the unit circle with q, and the ellipse M maps it to with M q',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [-1.2, 4.3], ticks: [] }, y: { domain: [-1.25, 1.25], ticks: [] }, left: 8, top: 8, bottom: 8, right: 8 });
          fig.root.querySelectorAll('.axes line').forEach((line) => line.remove());
          const unit = (chart.x(1) - chart.x(0));
          const flatten = (x, y) => [x, y * unit / (chart.y(0) - chart.y(1))];
          const m = ellipseMatrix(ratio.value);
          const turn = range(91, (i) => [Math.cos(i * Math.PI / 45), Math.sin(i * Math.PI / 45)]);
          const at = (centre, [x, y]) => { const [a, b] = flatten(x, y); return [centre + a, b]; };
          const image = ([x, y]) => [m[0][0] * x + m[0][1] * y, m[1][0] * x + m[1][1] * y];
          chart.line(turn.map((v) => at(0, v)), { color: 'var(--line)', width: 2 });
          chart.line(turn.map((v) => at(3.1, image(v))), { color: 'var(--line)', width: 2 });
          [[0, [Math.cos(1.1), Math.sin(1.1)]], [3.1, [Math.cos(0.6), Math.sin(0.6)]]].forEach(([centre, axis]) => {
            chart.line([at(centre, axis.map((v) => -1.15 * v)), at(centre, axis.map((v) => 1.15 * v))], { color: 'var(--muted)', dash: '6 5', width: 1.5 });
          });
          for (let k = 0; k <= step.value; ++k) {
            const last = k === step.value;
            const before = fig.root.querySelectorAll('.arrow').length;
            chart.arrow(at(0, [0, 0]), at(0, all[k].q), { series: 0, width: last ? 4 : 1.5 });
            chart.arrow(at(3.1, [0, 0]), at(3.1, all[k].image), { series: 1, width: last ? 4 : 1.5 });
            if (!last) [...fig.root.querySelectorAll('.arrow')].slice(before).forEach((line) => line.setAttribute('opacity', 0.35));
          }
          chart.text(...at(0, all[step.value].q.map((v) => 1.15 * v)), 'q', { class: 'title', anchor: 'middle' });
          chart.text(...at(3.1, all[step.value].image.map((v) => 1.12 * v)), 'M q', { class: 'title', anchor: 'middle', dx: 12 });
          chart.text(1.55, 0, 'M →', { class: 'huge', anchor: 'middle' });
        },
      });
      const errors = terse.figure(stage.figures, {
        height: HEIGHT, label: 'energy that is missing to the best rank 1, over the iterations',
        draw(fig) {
          const best = 1 / (1 + ratio.value ** 2);
          const points = range(MOST + 1, (k) => [k, Math.max(1e-9, best - kept(k))]);
          const chart = fig.axes({ x: { domain: [0, MOST], label: 'iteration' }, y: { domain: [1e-6, 1], scale: 'log', label: 'energy short of the best rank 1', format: power }, left: 56, right: 16 });
          clip(chart);
          chart.line(points, { series: 1, width: 3, dash: null });
          chart.points(points, { series: 1, r: 5 });
          dot(chart, step.value, Math.max(1e-6, points[step.value][1]), { series: 1, r: 10 });
        },
      });
      function update() {
        all = iterations(ellipseMatrix(ratio.value), MOST);
        readout.set([[percent(kept(step.value)), 'of the energy of M in p', 1], [percent(1 / (1 + ratio.value ** 2)), 'best rank 1']]);
        plane.redraw();
        errors.redraw();
      }
      update();
    },
  };

  // --------------------------------------------------------------------------------------------- 2: P and Q fill

  const STAGES = ['gradients', 'Q', 'P = M Q', 'sum, orthonormal', 'Q = Mᵀ P', 'mean', 'P Qᵀ'];
  const LEADS = ['Two workers, two matrices.', 'All workers hold the same Q: the one of the step before.', 'Each worker multiplies: a thin matrix P.',
    'All-reduce adds the P of all workers; its columns become orthonormal.', 'Each worker multiplies back: a thin matrix Q.',
    'All-reduce averages Q.', 'Every worker decodes the same matrix, as if the mean gradient had been compressed.'];

  // One step of PowerSGD of several workers.
  function aggregate(inputs, q) {
    const p = inputs.map((m) => product(m, q));
    const basis = orthonormal(p.reduce((total, one) => added(total, one)));
    const back = inputs.map((m) => product(transposed(m), basis));
    const mean = back.reduce((total, one) => added(total, one)).map((row) => row.map((value) => value / inputs.length));
    return { p, basis, back, mean, decoded: product(basis, transposed(mean)) };
  }

  const filling = {
    id: 'filling',
    title: 'P and Q fill, and add up over workers',
    lead: LEADS[0],
    columns: 'minmax(0, 1fr)',
    command: (data) => data.filling.command,
    made: 'The matrices are those of --seed 1 and 2. The first Q is drawn, and the step computed, in this page.',
    question: 'Why can PowerSGD be all-reduced, and top-k cannot?',
    answer: 'M Q is linear in M: the sum of the workers’ P is the P of the sum. Every worker selects other coordinates in top-k, so their '
      + 'packets must all be gathered, and traffic grows with the number of workers.',
    notes: ['Step through it. Then change the rank: at rank 4 the 4 × 6 matrix is exact.',
      'What is sent: P with n r and Q with m r values instead of n m. Tensors of one dimension are sent uncompressed.'],
    build(stage) {
      const workers = stage.data.filling.workers.map(({ input }) => rowsOf(input, 6));
      const step = terse.stepper(stage.controls, { label: 'step', key: 'filling.step', min: 0, max: 6, value: 0, format: (i) => STAGES[i], change: () => update() });
      step.node.querySelector('output').style.minWidth = '150px';
      const rank = terse.segmented(stage.controls, { label: 'rank', key: 'filling.rank', options: ['1', '2', '3', '4'].map((value) => ({ value, label: value })), value: '2', change: () => update() });
      const readout = stage.readout();
      const draws = random(4);
      const start = range(6, () => range(4, () => draws.normal()));
      const result = () => aggregate(workers, start.map((row) => row.slice(0, Number(rank.value))));
      const view = terse.figure(stage.figures, {
        height: 272, label: 'two gradient matrices, the factors P and Q of each worker, and the decoded matrix',
        draw(fig) {
          const r = Number(rank.value);
          const q = start.map((row) => row.slice(0, r));
          const all = result();
          const cell = [30, 27];
          const empty = (n) => range(n, () => range(r, () => null));
          const s = step.value;
          workers.forEach((m, w) => {
            const y = 24 + w * 134;
            matrix(fig, m, { x: 0, y, cell, most: 2.2, title: `worker ${w + 1}: M`, dim: () => s === 6 });
            const sent = s < 1 ? empty(6) : s < 4 ? q : s === 4 ? all.back[w] : all.mean;
            matrix(fig, transposed(sent), { x: 226, y, cell, most: s < 4 ? 2 : 3.5, title: s < 4 ? 'Qᵀ of the last step' : s === 4 ? 'Qᵀ, its own' : 'Qᵀ, the mean' });
            matrix(fig, s < 2 ? empty(4) : s === 2 ? all.p[w] : all.basis, {
              x: 460, y, cell, most: s === 2 ? 5 : 1, title: s < 3 ? 'P' : 'P, orthonormal' });
          });
          if (s === 3 || s === 5) fig.add('text', { x: s === 3 ? 606 : 410, y: 146, class: 'huge' }, '⇅');
          const mean = added(workers[0], workers[1]).map((row) => row.map((value) => value / 2));
          matrix(fig, s === 6 ? all.decoded : range(4, () => range(6, () => null)), { x: 690, y: 24, cell, most: 1.6, title: 'P Qᵀ' });
          matrix(fig, mean, { x: 690, y: 158, cell, most: 1.6, title: 'mean gradient', dim: () => s < 6 });
        },
      });
      const lead = stage.lead;
      function update() {
        const r = Number(rank.value);
        const mean = added(workers[0], workers[1]).map((row) => row.map((value) => value / 2));
        const share = 1 - norm(flat(added(mean, result().decoded, -1))) ** 2 / norm(flat(mean)) ** 2;
        readout.set([[`${Math.min(24, 10 * r)} of 24`, r < 3 ? 'values are sent' : 'values: no gain'], [step.value === 6 ? percent(share) : '–', 'of the energy kept', 1]]);
        lead(LEADS[step.value]);
        view.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------ 3: the residual leaves and returns

  const FEEDBACK_STEPS = 40;

  // PowerSGD of rank 1 on a gradient that stays the same, with or without error feedback.
  function feedbackRun(g, feedback) {
    const zero = g.map((row) => row.map(() => 0));
    const draws = random(8);
    let [q, residual, total] = [range(g[0].length, () => [draws.normal()]), zero, zero];
    return range(FEEDBACK_STEPS, (t) => {
      const input = feedback ? added(g, residual) : g;
      const one = aggregate([input], q);
      q = one.mean;
      const before = residual;
      residual = added(input, one.decoded, -1);
      total = added(total, one.decoded);
      const error = norm(flat(total.map((row, r) => row.map((value, c) => value / (t + 1) - g[r][c])))) / norm(flat(g));
      return { before, input, sent: one.decoded, residual, error };
    });
  }

  const feedback = {
    id: 'feedback',
    title: 'What is left out returns',
    lead: 'Rank 1 sends one direction a step. The residual waits, grows, and is sent when it has become large.',
    columns: '5fr 3fr',
    command: () => 'explain powersgd:rank=1+ef --shape 4x6 --step 3',
    made: 'Computed in this page for a gradient that stays the same. The program prints packet and residual of any step.',
    question: 'The residual never becomes zero. Why is it harmless?',
    answer: 'It is bounded: sent + residual = gradient + residual before, exactly. Summed over t steps, everything but one residual has '
      + 'been sent, so the error of the mean falls with 1/t. Without error feedback the same part is lost in every step.',
    notes: ['Step slowly through the first ten: the pattern that is sent changes, because the residual has grown in another direction.',
      'Right: error of the mean of all that was sent. With error feedback it falls like 1/t; without it, it stays at the error of rank 1.',
      'The law tests check sent + residual = input for every compressor.'],
    build(stage) {
      const g = rowsOf(stage.data.filling.workers[0].input, 6);
      const runs = [true, false].map((kept) => feedbackRun(g, kept));
      const step = terse.stepper(stage.controls, { label: 'step', key: 'feedback.step', min: 1, max: FEEDBACK_STEPS, value: 1, play: 500, change: () => update() });
      const kept = terse.checkbox(stage.controls, { label: 'error feedback', key: 'feedback.kept', value: true, change: () => update() });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: 283, label: 'gradient, residual before, what is sent and the residual after a step',
        draw(fig) {
          const now = runs[kept.value ? 0 : 1][step.value - 1];
          const cell = [29, 25];
          const nothing = g.map((row) => row.map(() => (kept.value ? 0 : null)));
          const [a, b] = [0, 290];
          matrix(fig, g, { x: a, y: 24, cell, most: 4, title: 'gradient' });
          matrix(fig, kept.value ? now.before : nothing, { x: b, y: 24, cell, most: 4, title: kept.value ? 'residual before' : 'no residual' });
          fig.add('text', { x: 232, y: 86, class: 'huge', 'text-anchor': 'middle' }, '+');
          fig.add('text', { x: 232, y: 226, class: 'huge', 'text-anchor': 'middle' }, '+');
          matrix(fig, now.sent, { x: a, y: 166, cell, most: 4, title: '=  sent, of rank 1' });
          matrix(fig, now.residual, { x: b, y: 166, cell, most: 4, title: kept.value ? 'residual, kept for later' : 'lost' });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT, label: 'error of the mean of all sent matrices',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [1, FEEDBACK_STEPS], scale: 'log', label: 'steps t', ticks: [1, 2, 5, 10, 20, 40] }, y: { domain: [0.02, 1.5], scale: 'log', label: 'error of the mean sent' }, left: 52, right: 18 });
          [1, 0].forEach((i) => {
            const chosen = (i === 0) === kept.value;
            chart.line(runs[i].map(({ error }, t) => [t + 1, error]), { series: i ? 0 : 1, width: chosen ? 4 : 2, dash: null });
          });
          const i = kept.value ? 0 : 1;
          dot(chart, step.value, runs[i][step.value - 1].error, { series: i ? 0 : 1, r: 9 });
        },
      });
      function update() {
        const now = runs[kept.value ? 0 : 1][step.value - 1];
        readout.set([[format.number(norm(flat(now.residual)) / norm(flat(g)), 2), kept.value ? 'residual/gradient' : 'lost/gradient'],
          [percent(now.error), 'error of the mean sent', kept.value ? 1 : 0]]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  };

  // -------------------------------------------------------------------------------------------- 4: the rank slider

  const LAYERS = { '0.weight': 'convolution 1', '3.weight': 'convolution 2', '7.weight': 'linear 1', '9.weight': 'linear 2', '11.weight': 'linear 3' };

  const rankSlider = {
    id: 'rank',
    title: 'How much does rank r keep?',
    lead: 'Singular values of real gradients of LeNet-5. Filled bars: what the best matrix of rank r keeps.',
    columns: '3fr 2fr',
    command: (data) => data.spectra.command,
    made: '',
    question: 'A fifth of the energy is left out in each step. Why does training not suffer?',
    answer: 'The gradient of a mini-batch is mostly noise, and the residual brings back what is left out. The energy kept tells how long '
      + 'it waits, not what is lost. The last scene has the accuracies, from real runs.',
    notes: ['Move the rank, then the layer and the step. Early gradients have few directions; later, more of them are noise, and the values become flatter.',
      'A step of plain SGD with a constant rate is x − rate · g, so the script takes the gradient from two checkpoints: (x − x′)/rate. '
      + 'It is the mean over four workers, 128 images in all.',
      'Warm: Q from the four gradients before. Cold: Q drawn anew. Both are one iteration of PowerSGD, computed by the script.'],
    build(stage) {
      const { moments } = stage.data.spectra;
      const layer = terse.select(stage.controls, {
        label: 'matrix', key: 'rank.layer', value: moments[0].tensors.some(({ name }) => name === '7.weight') ? '7.weight' : moments[0].tensors[0].name,
        options: moments[0].tensors.map(({ name, rows, columns }) => ({ value: name, label: `${LAYERS[name] ?? name}, ${rows} × ${columns}` })), change: () => update(),
      });
      const moment = terse.segmented(stage.controls, {
        label: 'training step', key: 'rank.step', options: moments.map(({ step }) => ({ value: String(step), label: format.count(step) })), value: String(moments[Math.min(1, moments.length - 1)].step), change: () => update(),
      });
      const rank = terse.slider(stage.controls, { label: 'rank', key: 'rank.rank', min: 1, max: 8, step: 1, value: 2, format: format.count, change: () => update() });
      const readout = stage.readout();
      const chosen = () => moments.find(({ step }) => String(step) === moment.value).tensors.find(({ name }) => name === layer.value);
      const best = (tensor, r) => Math.min(1, sum(tensor.values.slice(0, r).map((s) => s * s)) / tensor.total);
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'singular values of a gradient',
        draw(fig) {
          const tensor = chosen();
          const shown = tensor.values.slice(0, 24);
          const chart = fig.axes({ x: { bands: shown.map((_, i) => String(i + 1)), label: 'singular value' }, y: { domain: [0, shown[0] * 1.06], label: 'size' }, left: 56 });
          chart.bars(shown.map((value, i) => ({ x: String(i + 1), value, series: i < rank.value ? 1 : 6, tip: format.number(value) }))).forEach((bar, i) => bar.setAttribute('fill-opacity', i < rank.value ? 1 : 0.3));
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT, label: 'energy kept by rank: best, PowerSGD warm and cold',
        draw(fig) {
          const tensor = chosen();
          const most = tensor.powersgd.length;
          const chart = fig.axes({ x: { domain: [0.7, 8.3], label: 'rank', ticks: [1, 2, 3, 4, 5, 6, 7, 8] }, y: { domain: [0, 1], label: 'energy kept', format: percent }, left: 58 });
          const lines = [[range(most, (i) => [i + 1, best(tensor, i + 1)]), 6, 'best'], [tensor.powersgd.map(([, warm], i) => [i + 1, warm]), 1, 'warm'], [tensor.powersgd.map(([cold], i) => [i + 1, cold]), 0, 'cold']];
          lines.forEach(([points, series]) => { chart.line(points, { series, width: 3, dash: null }); chart.points(points, { series, r: 4.5 }); });
          lines.forEach(([, series, name], i) => chart.put('text', { x: chart.right - 60, y: chart.bottom - 62 + 20 * i, style: `fill: ${terse.series(series)}; font-weight: 600` }, name));
          chart.rule({ x: Math.min(rank.value, most) });
        },
      });
      stage.say('From two checkpoints of this run each, one step apart: (x − x′)/rate.');
      function update() {
        const tensor = chosen();
        const r = Math.min(rank.value, tensor.powersgd.length);
        const dense = tensor.rows * tensor.columns;
        readout.set([[percent(best(tensor, r)), 'best'], [percent(tensor.powersgd[r - 1][1]), 'warm', 1],
          [`${format.number(dense / Math.min(dense, r * (tensor.rows + tensor.columns)), 2)} ×`, 'smaller']]);
        left.redraw();
        right.redraw();
      }
      update();
    },
  };

  // ---------------------------------------------------------------------------------------- 5: bytes on ResNet-18

  const bytes = {
    id: 'bytes',
    title: 'Bytes of all methods on ResNet-18',
    lead: '11 173 962 parameters in 62 tensors, four bytes each. The scale is logarithmic.',
    command: (data) => data.bytes.command,
    made: '',
    question: 'Sign and vote have packets of one size. Why does sign send more?',
    answer: 'Votes are combined slice by slice and come back as one bit. Signs with a scale cannot be added, so every packet is forwarded '
      + 'to all W workers: traffic grows with W − 1. A ring all-reduce sends 2(W − 1)/W of a packet, whatever W is.',
    notes: ['Packet: what a worker encodes in a step. Sent: what leaves its network card, with forwarding, counted by the ring.',
      'Change W from 2 to 8: orange bars grow with W − 1, blue ones less than twofold. Slices and all-reduces are blue. ATOMO and SVD were counted with one worker.',
      'These are sizes alone. The accuracy at these sizes is the question of the next scene.'],
    build(stage) {
      const { methods, workers } = stage.data.bytes;
      const what = terse.segmented(stage.controls, {
        label: 'bytes of a step', key: 'bytes.what', value: 'sent', change: () => update(),
        options: [{ value: 'packet', label: 'packet' }, { value: 'sent', label: 'sent by a worker' }],
      });
      const count = terse.slider(stage.controls, { label: 'workers W', key: 'bytes.workers', values: workers, value: 4, format: format.count, change: () => update() });
      const readout = stage.readout();
      const value = (one) => (what.value === 'packet' ? one.packet : one.sent && one.sent[workers.indexOf(count.value)]);
      const grows = (one) => one.sent && one.sent[workers.length - 1] / one.sent[0] > 3;
      const view = terse.figure(stage.figures, {
        height: 296, label: 'bytes of each method on ResNet-18',
        draw(fig) {
          const rows = [...methods].sort((a, b) => b.packet - a.packet);
          const chart = fig.axes({ x: { domain: [1e5, 1e9], scale: 'log', format: (bytesValue) => format.bytes(bytesValue, 2) }, y: { bands: rows.map((_, i) => i), format: () => '' }, left: 190, top: 2, right: 90 });
          fig.root.querySelectorAll('.axes text[text-anchor="end"]').forEach((text) => text.remove());
          const slot = (chart.bottom - chart.top) / rows.length;
          rows.forEach((one, i) => {
            const y = chart.top + slot * (i + 0.5);
            chart.put('text', { x: chart.left - 10, y: y + 5, 'text-anchor': 'end', class: 'value', style: 'font-size: 14px' }, one.method);
            const found = value(one);
            if (!found) {
              chart.put('text', { x: chart.left + 8, y: y + 5, class: 'small' }, 'gathered: (W − 1) packets');
              return;
            }
            chart.put('rect', { x: chart.left, y: y - slot * 0.38, width: Math.max(1, chart.x(found) - chart.left), height: slot * 0.76, fill: terse.series(grows(one) || !one.sent ? 1 : 0), class: 'bar' });
            chart.put('text', { x: chart.x(found) + 8, y: y + 5, class: 'value', style: 'font-size: 14px' }, format.bytes(found, 3));
          });
        },
      });
      function update() {
        readout.set([['blue', 'added up on the way', 0], ['orange', 'gathered', 1]]);
        stage.command(stage.data.bytes.command.replace(/--workers \d+/, `--workers ${count.value}`));
        stage.say(what.value === 'packet' ? 'Counted from real packets, with headers. They do not depend on the number of workers.' : 'Counted by the ring of W workers, with headers and forwarding.');
        view.redraw();
      }
      update();
    },
  };

  // -------------------------------------------------------------------------------------------- 6: real training

  const training = {
    id: 'training',
    title: 'Rank, warm start and error feedback in training',
    lead: 'LeNet-5 on Fashion-MNIST, four workers, three epochs, always with SGD’s rate and momentum.',
    command: (data) => data.training.command,
    made: 'Real runs of this program, one seed each: differences below one point mean little.',
    question: 'Which of the three is indispensable?',
    answer: 'Error feedback. Without it the same directions are left out again and again, and accuracy falls most at rank 1. A warm start '
      + 'helps a little, and beyond rank 2 the rank hardly matters: that is what the paper reports.',
    notes: ['Choose a rank, then take the warm start away, then error feedback. Grey: the uncompressed run at the same rate.',
      'The paper has ResNet-18 on CIFAR-10 with 16 workers: 94.3 % for SGD and 94.4 % for rank 2 (figures quoted from notes, not checked).'],
    build(stage) {
      const { runs } = stage.data.training;
      const ranks = [...new Set(runs.map((run) => run.rank).filter(Boolean))];
      const rank = terse.segmented(stage.controls, { label: 'rank', key: 'training.rank', value: '1', options: ranks.map((value) => ({ value: String(value), label: String(value) })), change: () => update() });
      const variant = terse.segmented(stage.controls, {
        label: 'variant', key: 'training.variant', value: 'full', change: () => update(),
        options: [{ value: 'full', label: 'warm, feedback' }, { value: 'cold', label: 'cold start' }, { value: 'bare', label: 'no feedback' }],
      });
      const readout = stage.readout();
      const dense = runs.find((run) => !run.rank);
      const find = (kind) => runs.find((run) => String(run.rank) === rank.value && run.warm === (kind !== 'cold') && run.feedback === (kind !== 'bare'));
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'training loss over the steps',
        draw(fig) {
          const last = dense.points[dense.points.length - 1][0];
          const chart = fig.axes({ x: { domain: [0, last], label: 'step', format: format.count }, y: { domain: [0, 2], label: 'training loss' }, left: 42, right: 16 });
          clip(chart);
          const draw = (run, style) => chart.line(smooth(run.points.map(([step, loss]) => [step, loss]), 4), style);
          draw(dense, { color: 'var(--muted)', width: 3 });
          ['full', 'cold', 'bare'].forEach((kind, i) => {
            const run = find(kind);
            if (run && kind !== variant.value) draw(run, { series: [0, 2, 1][i], width: 1.5, dash: null }).setAttribute('opacity', 0.4);
          });
          const run = find(variant.value);
          if (run) draw(run, { series: { full: 0, cold: 2, bare: 1 }[variant.value], width: 4, dash: null });
          else chart.text(last / 2, 1, 'This combination was not run.', { anchor: 'middle', class: 'title' });
        },
      });
      function update() {
        const run = find(variant.value);
        const accuracy = (one) => (one ? percent(one.accuracy[one.accuracy.length - 1][1]) : '–');
        readout.set([[accuracy(run), 'test accuracy', { full: 0, cold: 2, bare: 1 }[variant.value]], [accuracy(dense), 'uncompressed'],
          [run ? `${format.number(dense.packet_bytes / run.packet_bytes, 2)} ×` : '–', 'smaller']]);
        if (run) stage.command(run.command);
        view.redraw();
      }
      update();
    },
  };

  terse.lecture({
    title: 'PowerSGD', paper: 'Vogels, Karimireddy and Jaggi, arXiv 1905.13727',
    scenes: [ellipse, filling, feedback, rankSlider, bytes, training],
  });
})((globalThis.terse ??= {}));
