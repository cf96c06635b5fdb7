/* The lecture on signSGD and majority votes: Bernstein et al., arXiv 1802.04434 and 1810.05291. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, mean, random } = terse.maths;
  const { dot, clip, power, smooth } = terse.drawing;
  const HEIGHT = 283;

  // ------------------------------------------------------------------------------------- 1: one bit per coordinate

  const onePacket = {
    id: 'packet',
    title: 'One bit per coordinate',
    lead: 'A worker sends the sign of every coordinate of its gradient, and nothing else.',
    command: (data) => data.packet.command,
    made: 'The gradient, the bits and the bytes are those of this packet.',
    question: 'The gradient becomes a thousand times as large. What changes in the packet?',
    answer: 'Nothing: sign(c·g) = sign(g) for every c > 0. The learning rate alone sets the length of a step, so it must '
      + 'be about a hundredth of that of SGD. One worker with a huge gradient has one vote, like all others.',
    notes: ['Step through it: values, signs, bits, what the receiver decodes. A bit is 1 where the coordinate is negative.',
      'Bits are packed into words of 32, so 24 coordinates take 4 bytes here. The header of 32 bytes is that of every '
      + 'packet of this program; for a real model it does not count.'],
    build(stage) {
      const { input, bits, bytes } = stage.data.packet;
      const signs = bits.replaceAll(' ', '').slice(0, input.length);
      const names = ['gradient', 'signs', 'bits', 'decoded'];
      const step = terse.stepper(stage.controls, {
        label: 'step', key: 'packet.step', min: 0, max: 3, value: 0, format: (i) => names[i], change: () => update(),
      });
      const readout = stage.readout();
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'the 24 coordinates of a gradient, their signs and their bits',
        draw(fig) {
          const chart = fig.axes({
            x: { bands: range(24).map(String) }, y: { domain: [-2.6, 2.6], ticks: [-2, -1, 0, 1, 2] }, left: 34, top: 6, bottom: 84,
          });
          fig.root.querySelectorAll('.axes text[text-anchor="middle"]').forEach((text) => text.remove());
          input.forEach((value, i) => {
            const negative = signs[i] === '1';
            const faint = step.value === 3 ? 0.25 : 1;
            const [bar] = chart.bars([{ x: String(i), value, series: step.value === 0 ? 6 : negative ? 0 : 1, tip: format.number(value) }]);
            bar.setAttribute('fill-opacity', faint);
            if (step.value === 3) chart.bars([{ x: String(i), value: negative ? -1 : 1, series: negative ? 0 : 1 }], { width: 0.36 });
            const at = chart.x(String(i));
            if (step.value === 0) chart.put('text', { x: at, y: chart.bottom + 22, 'text-anchor': 'middle', class: 'small value' }, value.toFixed(2).replace('-', '−'));
            if (step.value === 1) chart.put('text', { x: at, y: chart.bottom + 26, 'text-anchor': 'middle', class: 'huge' }, negative ? '−' : '+');
            if (step.value >= 2) chart.put('text', { x: at, y: chart.bottom + 24, 'text-anchor': 'middle', class: 'huge', style: 'font-size: 22px' }, signs[i]);
          });
          if (step.value >= 2) drawBytes(chart, bytes.slice(64));
        },
      });
      function drawBytes(chart, payload) {
        range(3).forEach((byte) => {
          const [a, b] = [chart.x(String(8 * byte)) - chart.band / 2 + 4, chart.x(String(8 * byte + 7)) + chart.band / 2 - 4];
          chart.put('path', { d: `M${a} ${chart.bottom + 32}v7H${b}v-7`, fill: 'none', stroke: 'var(--muted)' });
          chart.put('text', { x: (a + b) / 2, y: chart.bottom + 62, 'text-anchor': 'middle', class: 'huge', style: 'font-size: 20px' },
            `0x${payload.slice(2 * byte, 2 * byte + 2)}`);
        });
      }
      function update() {
        readout.set([['768 bits', '24 floats'], [step.value < 1 ? '–' : '24 bits', '24 signs'],
          [step.value < 2 ? '–' : '32 ×', 'smaller']]);
        view.redraw();
      }
      update();
    },
  };

  // --------------------------------------------------------------------------------------------- 2: paths on a bowl

  const BOWL = { curvature: 20, rate: 0.03, start: [-2.7, 1.3], steps: 200 };

  const bowlValue = ([x, y]) => 0.5 * (x * x + BOWL.curvature * y * y);

  // The paths of SGD and of the sign with the same draws of noise.
  function bowlPaths(noise, seed) {
    const draws = random(seed);
    const paths = [[BOWL.start], [BOWL.start]];
    range(BOWL.steps, () => {
      const errors = [noise * draws.normal(), noise * draws.normal()];
      paths.forEach((path, sign) => {
        const [x, y] = path[path.length - 1];
        const gradient = [x + errors[0], BOWL.curvature * y + errors[1]];
        path.push([x, y].map((value, i) => value - BOWL.rate * (sign ? Math.sign(gradient[i]) : gradient[i])));
      });
    });
    return paths;
  }

  function drawBowl(fig, paths, steps) {
    const chart = fig.axes({ x: { domain: [-3.2, 3.2], label: 'x' }, y: { domain: [-1.7, 1.7], ticks: [-1, 0, 1] }, left: 34, top: 6 });
    clip(chart);
    for (const level of [0.1, 0.5, 1.5, 4, 9, 16, 25]) {
      const [a, b] = [Math.sqrt(2 * level), Math.sqrt((2 * level) / BOWL.curvature)];
      chart.put('ellipse', {
        cx: chart.x(0), cy: chart.y(0), rx: chart.x(a) - chart.x(0), ry: chart.y(0) - chart.y(b), fill: 'var(--series-7)',
        'fill-opacity': 0.05, stroke: 'var(--line)',
      });
    }
    paths.forEach((path, i) => chart.line(path.slice(0, steps + 1), { series: i, width: 2.5, dash: null }));
    dot(chart, ...BOWL.start, { series: 6, r: 5 });
    paths.forEach((path, i) => dot(chart, ...path[steps], { series: i, r: 8 }));
  }

  const bowl = {
    id: 'bowl',
    title: 'The path of the sign on a bowl',
    lead: `f(x, y) = (x² + ${BOWL.curvature} y²)/2: SGD follows the slope, the sign takes the same step in each coordinate.`,
    columns: '3fr 2fr',
    command: () => 'rosenbrock --batch 4 --noise 1 --workers 9 --plot valley.svg',
    made: 'Computed in this page, both methods with the same noise and rate. The program does it on Rosenbrock’s function.',
    question: 'Why does the path of the sign begin with a diagonal?',
    answer: 'Each coordinate moves by the rate, whatever its slope. The steep coordinate arrives first; its sign then '
      + 'alternates, and the path continues along the other axis.',
    notes: ['Move the noise from 0 upwards. SGD’s steps grow with the noise; a step of the sign never does.',
      'With much noise the sign is right only a little more often than wrong, so its progress slows down, in proportion to '
      + 'the slope. Without noise it ends in a zigzag as wide as the rate: a rate that falls is needed.'],
    build(stage) {
      let paths = [];
      const noise = terse.slider(stage.controls, {
        label: 'noise of each coordinate σ', key: 'bowl.noise', min: 0, max: 20, step: 0.5, value: 2, change: () => update(),
      });
      const steps = terse.slider(stage.controls, {
        label: 'steps', key: 'bowl.steps', min: 0, max: BOWL.steps, step: 1, value: 120, format: format.count, change: () => update(),
      });
      const readout = stage.readout();
      const plane = terse.figure(stage.figures, { height: HEIGHT, label: 'paths of SGD and of the sign on a bowl', draw: (fig) => drawBowl(fig, paths, steps.value) });
      const values = terse.figure(stage.figures, {
        height: HEIGHT, label: 'f over the steps',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, BOWL.steps], label: 'step', ticks: 4 }, y: { domain: [1e-3, 100], scale: 'log', label: 'f', format: power }, left: 56 });
          paths.forEach((path, i) => chart.line(path.map((point, k) => [k, Math.max(1e-3, bowlValue(point))]), { series: i, width: 2.5, dash: null }));
          chart.rule({ x: steps.value });
        },
      });
      function update() {
        paths = bowlPaths(noise.value, 5);
        readout.set(['SGD', 'sign'].map((name, i) => [format.number(bowlValue(paths[i][steps.value]), 2), `f, ${name}`, i]));
        plane.redraw();
        values.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------------------ 3: density

  const TOY = { size: 100, steps: 10000, noise: 100, rates: [0.001, 0.01] };

  // The squares of one coordinate every 100 steps, of SGD and of the sign with the same noise.
  function walk(start, deviation, draws) {
    const x = [start, start];
    const squares = [[], []];
    for (let step = 0; step <= TOY.steps; ++step) {
      if (step % 100 === 0) x.forEach((value, i) => squares[i].push(value * value));
      const error = deviation > 0 ? deviation * draws.normal() : 0;
      x[0] -= TOY.rates[0] * (x[0] + error);
      x[1] -= TOY.rates[1] * Math.sign(x[1] + error);
    }
    return squares;
  }

  // f over the steps of SGD and of the sign; noise of total deviation 100 is on `noisy` of the 100 coordinates. At least
  // 40 noisy coordinates are simulated, so that few of them are averages, too.
  function densityRun(noisy) {
    const draws = random(7);
    const starts = range(TOY.size, () => draws.normal());
    const copies = Math.ceil(40 / noisy);
    const curves = range(2, () => range(TOY.steps / 100 + 1, (i) => [100 * i, 0]));
    starts.forEach((start, i) => range(i < noisy ? copies : 1, () => {
      const squares = walk(start, i < noisy ? TOY.noise / Math.sqrt(noisy) : 0, draws);
      squares.forEach((list, k) => list.forEach((square, t) => { curves[k][t][1] += 0.5 * square / (i < noisy ? copies : 1); }));
    }));
    return curves;
  }

  // What f settles at: SGD at rate·σ²/(2(2 − rate)), the sign at k·rate·s·√(π/2)/4 for k coordinates of deviation s.
  const floors = (noisy) => [TOY.rates[0] * TOY.noise ** 2 / (2 * (2 - TOY.rates[0])),
    Math.sqrt(noisy) * TOY.rates[1] * TOY.noise * Math.sqrt(Math.PI / 2) / 4];

  const density = {
    id: 'density',
    title: 'Where the noise is sparse, the sign wins',
    lead: 'f = ‖x‖²/2 in 100 dimensions. The same total noise is on one coordinate, on some, or on all.',
    columns: '3fr 2fr',
    command: (data) => data.density.command,
    made: 'Left: computed in this page. Right: measured by the program on LeNet-5 and Fashion-MNIST.',
    question: 'One coordinate is a hundred times as noisy as all others. Whom does it hurt more?',
    answer: 'SGD: its steps have the length of the noise, so one bad coordinate limits the rate of all. The sign is wrong in that '
      + 'coordinate half of the time and right in all others: the damage stays where the noise is.',
    notes: ['density φ(v) = ‖v‖₁²/(d‖v‖₂²): 1/d for one coordinate, 1 for equal ones, 2/π for a normal vector.',
      'Dashed: the level at which f settles. For SGD it does not depend on the number of noisy coordinates; for the sign it '
      + 'grows with its square root, and they meet at 64. One noisy coordinate mixes slowly: 10 000 steps are hardly enough.',
      'Right: signs suit a model whose gradient is at least as dense as its noise. In LeNet-5 both become sparse, and the gradient '
      + 'more than the noise: theory promises no gain here. The last scene shows that the vote trains it all the same.'],
    build(stage) {
      let curves = [];
      const noisy = terse.slider(stage.controls, {
        label: 'noisy coordinates of 100', key: 'density.noisy', values: [1, 2, 4, 8, 16, 32, 64, 100], value: 1, format: format.count, change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'f over the steps of SGD and of the sign',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, TOY.steps], label: 'step', format: format.count, ticks: 5 }, y: { domain: [0.1, 100], scale: 'log', label: 'f', format: power }, left: 52 });
          clip(chart);
          floors(noisy.value).forEach((level, i) => chart.line([[0, level], [TOY.steps, level]], { series: i, dash: '6 5', width: 1.5 }));
          curves.forEach((points, i) => chart.line(points, { series: i, width: 3, dash: null }));
        },
      });
      terse.figure(stage.figures, {
        height: HEIGHT, label: 'density of gradient and noise by epoch',
        draw(fig) {
          const epochs = stage.data.density.epochs;
          const chart = fig.axes({ x: { domain: [-0.2, epochs.length - 0.3], label: 'epoch', ticks: epochs.map(({ epoch }) => epoch) }, y: { domain: [0, 0.75], label: 'density φ, LeNet-5', ticks: 4 }, left: 40 });
          chart.line([[-0.2, 2 / Math.PI], [epochs.length - 0.3, 2 / Math.PI]], { color: 'var(--muted)', dash: '2 4' });
          chart.text(epochs.length - 0.3, 2 / Math.PI, 'normal vector', { anchor: 'end', dy: -6, class: 'small' });
          [['gradient', 2], ['noise', 3]].forEach(([name, series], k) => {
            chart.line(epochs.map((one) => [one.epoch, one[name]]), { series, width: 2.5, dash: null });
            chart.points(epochs.map((one) => [one.epoch, one[name]]), { series, r: 5 });
            const last = epochs[epochs.length - 1];
            chart.text(last.epoch, last[name], name, { dx: 10, dy: k ? -2 : 12, anchor: 'start' });
          });
        },
      });
      function update() {
        curves = densityRun(noisy.value);
        readout.set(['SGD', 'sign'].map((name, i) => [format.number(mean(curves[i].slice(-20).map(([, f]) => f)), 2), `f at the end, ${name}`, i])
          .concat([[format.number(noisy.value / TOY.size), 'density of the noise']]));
        left.redraw();
      }
      update();
    },
  };

  // ---------------------------------------------------------------------------------------------------- 4: the vote

  const votes = {
    id: 'votes',
    title: 'A majority vote removes noise',
    lead: 'M workers send signs, the server returns the sign of the majority: one bit up, one bit down.',
    columns: '3fr 2fr',
    command: (data) => data.votes.command,
    made: 'Averages over ten runs of this program for each M.',
    question: 'What do twice as many workers gain, compared with averaging gradients?',
    answer: 'For symmetric noise about the same: the effect of the noise falls with 1/√M, as in a mean, with a thirty-second '
      + 'of the traffic. Without symmetry the vote may not gain at all: it estimates the median.',
    notes: ['Rosenbrock’s function in ten dimensions. One gradient has 4 of the 9 terms, and noise of deviation 1.',
      'Right signs: average over the coordinates at this point of the path. They become fewer in the valley, because '
      + 'gradients are small there. That is where more voters count.',
      'An odd M never ties. With ties counted as plus, an even M drifts upwards; the program draws a shared random sign.'],
    build(stage) {
      const { runs } = stage.data.votes;
      const workers = terse.slider(stage.controls, {
        label: 'workers M', key: 'votes.workers', values: runs.map((run) => run.workers), value: 9, format: format.count, change: () => update(),
      });
      const readout = stage.readout();
      const chosen = () => runs.find((run) => run.workers === workers.value) ?? runs[0];
      const last = runs[0].points.length - 1;
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'f over the steps by number of workers',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, runs[0].points[last][0]], label: 'step', format: format.count, ticks: 4 },
            y: { domain: terse.extent(runs.flatMap((run) => run.points.map(([, f]) => f)), { log: true }), scale: 'log', label: 'f, Rosenbrock' }, left: 56 });
          for (const run of runs) chart.line(run.points, { color: 'var(--line)', width: 2 });
          chart.line(chosen().points, { series: 1, width: 4 });
          chart.points(chosen().points, { series: 1, r: 5 });
        },
      });
      const right = terse.figure(stage.figures, {
        height: HEIGHT, label: 'share of right signs along the path, by number of workers',
        draw(fig) {
          const chart = fig.axes({ x: { bands: runs.map((run) => String(run.workers)), label: 'workers M' },
            y: { domain: [0.5, 1], label: 'right signs, average of the path', format: format.percent }, left: 52 });
          runs.forEach((run) => chart.bars([{ x: String(run.workers), from: 0.5, value: mean(run.points.map(([, , right]) => right)), series: run === chosen() ? 1 : 6 }]));
          fig.root.querySelectorAll('.bar').forEach((bar, i) => bar.setAttribute('fill-opacity', runs[i] === chosen() ? 1 : 0.35));
        },
      });
      function update() {
        const run = chosen();
        readout.set([[format.number(run.points[last][1], 2), 'f at the end', 1],
          [format.percent(mean(run.points.map(([, , right]) => right)), 3), 'right signs']]);
        stage.command(run.command);
        left.redraw();
        right.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------- 5: the counter-example

  const VALLEY = { rate: 0.05, steps: 160 };

  // Paths on f = (<a1, x>² + <a2, x>²)/2; a step draws one of the functions <a_n, x>², or takes both.
  function valleyPaths(eps) {
    const a = [[1 + eps, -1 + eps], [-1 + eps, 1 + eps]];
    const inner = (u, v) => u[0] * v[0] + u[1] * v[1];
    const f = (x) => 0.5 * (inner(a[0], x) ** 2 + inner(a[1], x) ** 2);
    const gradient = (n, x) => a[n].map((value) => 2 * inner(a[n], x) * value);
    const draws = random(3);
    const picks = range(VALLEY.steps, () => (draws.next() < 0.5 ? 0 : 1));
    const walk = (move) => {
      const path = [[1, 1]];
      picks.forEach((n) => { path.push(move(path[path.length - 1], n)); });
      return { path, values: path.map((x, k) => [k, Math.max(1e-8, f(x))]) };
    };
    const residuals = [[0, 0]];
    return [
      { name: 'sign', ...walk((x, n) => gradient(n, x).map((value, i) => x[i] - VALLEY.rate * Math.sign(value))) },
      { name: 'vote of both', ...walk((x) => x.map((value, i) => value - VALLEY.rate * Math.sign(Math.sign(gradient(0, x)[i]) + Math.sign(gradient(1, x)[i])))) },
      { name: 'error feedback', residuals, ...walk((x, n) => {
        const p = gradient(n, x).map((value, i) => VALLEY.rate * value + residuals[residuals.length - 1][i]);
        const scale = (Math.abs(p[0]) + Math.abs(p[1])) / 2;
        const sent = p.map((value) => scale * (value < 0 ? -1 : 1));
        residuals.push(p.map((value, i) => value - sent[i]));
        return x.map((value, i) => value - sent[i]);
      }) },
      { name: 'SGD', ...walk((x, n) => gradient(n, x).map((value, i) => x[i] - VALLEY.rate * value)) },
    ];
  }

  function drawValley(fig, eps, method, series, step) {
    const chart = fig.axes({ x: { domain: [-0.85, 2.6], label: 'x₁', ticks: [0, 1, 2] }, y: { domain: [-0.3, 1.9], ticks: [0, 1] }, left: 34, top: 6 });
    clip(chart);
    for (const level of [0.02, 0.1, 0.3, 0.7, 1.4, 2.5, 4]) {
      const points = range(73, (i) => {
        const angle = (i * Math.PI) / 36;
        const [u, v] = [Math.sqrt(2 * level) / (2 * eps) * Math.cos(angle), Math.sqrt(2 * level) / 2 * Math.sin(angle)];
        return [(u + v) / Math.SQRT2, (u - v) / Math.SQRT2];
      });
      chart.line(points, { color: 'var(--line)', width: 1.2 });
    }
    chart.line([[-0.4, 2.4], [2.5, -0.5]], { color: 'var(--muted)', dash: '7 6', width: 1.5 });
    chart.text(1.85, 0, 'x₁ + x₂ = 2', { anchor: 'end', class: '' });
    chart.line(method.path.slice(0, step + 1), { series, width: 3, dash: null });
    if (method.residuals) {
      const [x, e] = [method.path[step], method.residuals[step]];
      chart.arrow(x, [x[0] - e[0], x[1] - e[1]], { color: 'var(--muted)', width: 2.5 });
    }
    dot(chart, 0, 0, { series: 6, r: 5, hollow: true });
    dot(chart, 1, 1, { series: 6, r: 4 });
    dot(chart, ...method.path[step], { series, r: 9 });
  }

  const counterexample = {
    id: 'stuck',
    title: 'The sign stands still, error feedback steps out',
    lead: 'Two nodes, one minimum at 0. Both signs point along the dashed line, in opposite directions.',
    columns: '1fr 1fr',
    command: (data) => data.counterexample.command,
    made: '',
    question: 'Why does no learning rate help the sign?',
    answer: 'Between the two nodes’ lines the signs are (+, −) and (−, +). Every step keeps x₁ + x₂ = 2, whatever its '
      + 'length, and f cannot fall below its value at (1, 1). The residual of error feedback adds up what points to 0.',
    notes: ['Choose a method and step. A step draws one of the two functions; the vote takes both, and its ties stay where they are.',
      'Arrow: from x to x − e, the point at which plain SGD would be. Error feedback keeps it within reach of x.',
      'f = (⟨a₁, x⟩² + ⟨a₂, x⟩²)/2 with a = (±1 + ε, ∓1 + ε), from Karimireddy et al., arXiv 1901.09847. The program takes '
      + 'ε = 0.1 and rates that fall with the number of steps.'],
    build(stage) {
      const names = ['sign', 'vote of both', 'error feedback', 'SGD'];
      const order = [1, 3, 2, 0];
      let paths;
      const method = terse.segmented(stage.controls, {
        label: 'method', key: 'stuck.method', options: names.map((name, i) => ({ value: String(i), label: name })), value: '0', change: () => update(),
      });
      const step = terse.slider(stage.controls, {
        label: 'step', key: 'stuck.step', min: 0, max: VALLEY.steps, step: 1, value: 60, format: format.count, change: () => update(),
      });
      const eps = terse.slider(stage.controls, { label: 'ε', key: 'stuck.eps', min: 0.1, max: 0.8, step: 0.05, value: 0.4, change: () => update() });
      paths = valleyPaths(eps.value);
      const plane = terse.figure(stage.figures, {
        height: HEIGHT, label: 'path on the counter-example',
        draw: (fig) => drawValley(fig, eps.value, paths[Number(method.value)], order[Number(method.value)], step.value),
      });
      const values = terse.figure(stage.figures, {
        height: HEIGHT, label: 'f over the steps',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, VALLEY.steps], label: 'step', ticks: 4 }, y: { domain: [1e-6, 10], scale: 'log', label: 'f', format: power }, left: 56, right: 16 });
          paths.forEach((one, i) => {
            const chosen = i === Number(method.value);
            chart.line(one.values.map(([k, v]) => [k, Math.max(1e-6, v)]), { series: order[i], width: chosen ? 4 : 1.75, dash: null }).setAttribute('opacity', chosen ? 1 : 0.55);
          });
          chart.rule({ x: step.value, label: `f = ${format.number(paths[Number(method.value)].values[step.value][1], 2)}` });
        },
      });
      const found = Object.fromEntries(stage.data.counterexample.methods.map((one) => [one.method, one]));
      stage.say(`Paths: computed in this page. The program’s |∇f|: sign ${found.sign.gradient}, vote ${found.vote.gradient}, sign+ef ${found['sign+ef'].gradient.toExponential(0)}.`);
      function update() {
        paths = valleyPaths(eps.value);
        plane.redraw();
        values.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------------ 6: real training

  const training = {
    id: 'training',
    title: 'The same loss for a thirtieth of the bytes',
    lead: 'LeNet-5 on Fashion-MNIST, four workers, six epochs, each method with its recommended rate.',
    command: (data) => data.training.command,
    made: 'Real runs of this program, one seed for each method.',
    question: 'The vote sends 32 times fewer bits. When is training 32 times as fast?',
    answer: 'Only if the network is all that costs time. Where gradients take longer to compute than to send, the step '
      + 'hardly becomes shorter: with four workers in one machine the gain here is nothing, on a slow network nearly all.',
    notes: ['The axis is the number of bytes that one worker has sent, with headers and forwarding, on a logarithmic scale.',
      'Accuracies are those of the last epoch that ends within the budget. The vote uses the momentum 0.9 before the sign (Signum).',
      'Error feedback sends twice what the vote sends here: its packets are gathered, because their scales differ.'],
    build(stage) {
      const { runs } = stage.data.training;
      const budget = terse.slider(stage.controls, {
        label: 'budget of a worker', key: 'training.budget', min: 1e5, max: 1.2e9, scale: 'log', value: 6e7, format: (value) => format.bytes(value, 2), change: () => update(),
      });
      const readout = stage.readout();
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'training loss over bytes sent',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [1e5, 1.2e9], scale: 'log', label: 'bytes sent by a worker', format: (value) => format.bytes(value, 2) },
            y: { domain: [0, 2.4], label: 'training loss' }, left: 42 });
          runs.forEach((run, i) => {
            const points = smooth(run.points.map(([, loss, bytes]) => [bytes, loss]), 3);
            chart.line(points, { series: i, width: 1.5, dash: null }).setAttribute('opacity', 0.4);
            chart.line(points.filter(([bytes]) => bytes <= budget.value), { series: i, width: 4, dash: null });
          });
          chart.rule({ x: budget.value });
        },
      });
      function update() {
        readout.set(runs.map((run, i) => {
          const within = run.accuracy.filter(([, , bytes]) => bytes <= budget.value);
          return [within.length ? format.percent(within[within.length - 1][1]) : '–', run.name, i];
        }));
        view.redraw();
      }
      update();
    },
  };

  terse.lecture({
    title: 'signSGD and the majority vote', paper: 'Bernstein et al., arXiv 1802.04434 and 1810.05291',
    scenes: [onePacket, bowl, density, votes, counterexample, training],
  });
})((globalThis.terse ??= {}));
