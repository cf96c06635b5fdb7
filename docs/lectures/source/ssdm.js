/* The lecture on stochastic sign descent: Safaryan and Richtárik, arXiv 1905.12938. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, sum, mean, norm, random, normalCdf, binomial, voteSuccess } = terse.maths;
  const { curve, dot, clip, smooth } = terse.drawing;
  const HEIGHT = 283;
  const percent = (value) => format.percent(value, 3);

  // ------------------------------------------------------------------------------- 1: how often a sign is right

  const ROOT3 = Math.sqrt(3);
  const LAWS = {
    normal: { pdf: (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI), right: normalCdf },
    uniform: { pdf: (x) => (Math.abs(x) < ROOT3 ? 1 / (2 * ROOT3) : 0), right: (s) => Math.min(1, 0.5 + s / (2 * ROOT3)) },
    Laplace: { pdf: (x) => Math.exp(-Math.SQRT2 * Math.abs(x)) / Math.SQRT2, right: (s) => 1 - 0.5 * Math.exp(-Math.SQRT2 * s) },
  };
  const safaryan = (s) => 0.5 + 0.5 * s / (s + ROOT3);
  const gauss = (s) => (s > 2 / ROOT3 ? 1 - 2 / (9 * s * s) : 0.5 + s / (2 * ROOT3));

  const right = {
    id: 'right',
    title: 'How often is a sign right?',
    lead: 'The gradient of one coordinate is S times its noise. Draws below 0 have the wrong sign.',
    columns: '1fr 1fr',
    command: (data) => data.batches.command,
    made: 'Computed in this page from the laws. The program counts right signs on the path of a descent.',
    question: 'A gradient is a tenth of its noise. Is its sign worth a bit?',
    answer: 'Yes: with normal noise it is right in 54 of 100 cases, and the bound for any unimodal symmetric noise promises 52.7. '
      + 'Descent needs more than one half and no more; many steps, or many voters, do the rest.',
    notes: ['S = |g|/σ is the signal-to-noise ratio. Shaded: draws whose sign is wrong.',
      'Solid: this law. Dashed: the bound of the paper, 1/2 + S/(2(S + √3)), for unimodal symmetric noise. Dotted: Gauss’s bound '
      + 'of 1823, which uniform noise attains up to S = 2/√3.'],
    build(stage) {
      const law = terse.segmented(stage.controls, {
        label: 'noise', key: 'right.law', options: Object.keys(LAWS).map((name) => ({ value: name, label: name })), value: 'normal', change: () => update(),
      });
      const ratio = terse.slider(stage.controls, { label: 'S = |g|/σ', key: 'right.ratio', min: 0, max: 4, step: 0.05, value: 0.5, change: () => update() });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'density of a drawn gradient; draws with the wrong sign are shaded',
        draw(fig) {
          const pdf = (x) => LAWS[law.value].pdf(x - ratio.value);
          const chart = fig.axes({ x: { domain: [-4, 6], label: 'drawn gradient, in units of σ', ticks: 5 }, y: { domain: [0, 0.75], label: 'density', ticks: 3 }, left: 44 });
          chart.area(curve(pdf, -4, 0, 200).map(([x, y]) => [x, 0, y]), { series: 1, opacity: 0.75 });
          chart.area(curve(pdf, 0, 6, 200).map(([x, y]) => [x, 0, y]), { series: 2, opacity: 0.35 });
          chart.line(curve(pdf, -4, 6, 400), { color: 'var(--ink)', width: 2 });
          chart.rule({ x: ratio.value });
          chart.text(-3.9, 0.68, 'wrong', { class: 'title' });
          chart.text(5.9, 0.68, 'right', { class: 'title', anchor: 'end' });
        },
      });
      const chartView = terse.figure(stage.figures, {
        height: HEIGHT, label: 'probability of a right sign over the signal-to-noise ratio',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, 4], label: 'S', ticks: 4 }, y: { domain: [0.5, 1], label: 'P(sign is right)', format: percent }, left: 56 });
          chart.line(curve(gauss, 0, 4), { color: 'var(--muted)', width: 2.5, dash: '2 5' });
          chart.line(curve(safaryan, 0, 4), { series: 3, width: 3, dash: '9 5' });
          chart.line(curve(LAWS[law.value].right, 0, 4), { series: 2, width: 4 });
          chart.text(3.9, safaryan(3.9), 'bound of the paper', { anchor: 'end', dy: 44 });
          dot(chart, ratio.value, LAWS[law.value].right(ratio.value), { series: 2, r: 8 });
          dot(chart, ratio.value, safaryan(ratio.value), { series: 3, r: 6 });
        },
      });
      function update() {
        readout.set([[percent(LAWS[law.value].right(ratio.value)), 'right', 2], [percent(safaryan(ratio.value)), 'bound', 3]]);
        left.redraw();
        chartView.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------- 2: the vote's success

  const MOST_WORKERS = 31;

  // The share of right majorities in `trials` votes; a tie is decided by a fair coin.
  function simulatedVotes(rho, workers, trials, draws) {
    let rightVotes = 0;
    for (let t = 0; t < trials; ++t) {
      let margin = 0;
      for (let m = 0; m < workers; ++m) margin += draws.next() < rho ? 1 : -1;
      rightVotes += margin > 0 || (margin === 0 && draws.next() < 0.5) ? 1 : 0;
    }
    return rightVotes / trials;
  }

  const vote = {
    id: 'vote',
    title: 'M voters against the incomplete beta function',
    lead: 'A worker is right with probability ρ, and M of them with I(ρ; l, l), where l = ⌊(M + 1)/2⌋.',
    columns: '3fr 2fr',
    command: () => 'optim_test --gtest_filter="Vote.*:SignLaws.VoteSucceeds*"',
    made: 'Dots: 2 000 votes each, drawn in this page. Line: the formula. The test checks the vote of the library against it.',
    question: 'What does the fourth voter add to three?',
    answer: 'Nothing: 2l voters succeed exactly as often as 2l − 1, if a tie is decided by a fair coin or does not move. '
      + 'If ties count as plus, an even number drifts upwards instead.',
    notes: ['Move ρ below one half as well: a majority of workers that are mostly wrong is wrong almost surely. This is why noise '
      + 'that is skewed is dangerous.',
      'Dashed: the exponential bound, 1 − exp(−(2ρ − 1)² l)/2. The effect of noise falls exponentially with the number of workers.'],
    build(stage) {
      let dots = [];
      const rho = terse.slider(stage.controls, { label: 'ρ of one worker', key: 'vote.rho', min: 0.3, max: 0.95, step: 0.01, value: 0.6, change: () => update() });
      const workers = terse.slider(stage.controls, { label: 'workers M', key: 'vote.workers', min: 1, max: MOST_WORKERS, step: 1, value: 9, format: format.count, change: () => update() });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'probability of a right majority over the number of workers',
        draw(fig) {
          const low = rho.value < 0.5 ? 0 : 0.5;
          const chart = fig.axes({ x: { domain: [0, MOST_WORKERS + 1], label: 'workers M', ticks: [1, 5, 9, 15, 21, 31] }, y: { domain: [low, 1], label: 'P(vote is right)', format: percent }, left: 56 });
          const counts = range(MOST_WORKERS, (i) => i + 1);
          if (low) chart.line(counts.map((m) => [m, 1 - 0.5 * Math.exp(-((2 * rho.value - 1) ** 2) * Math.floor((m + 1) / 2))]), { color: 'var(--muted)', width: 2, dash: '8 5' });
          chart.line(counts.map((m) => [m, voteSuccess(rho.value, m)]), { series: 0, width: 3, dash: null });
          chart.points(dots, { series: 1, r: 4.5 });
          dot(chart, workers.value, voteSuccess(rho.value, workers.value), { series: 0, r: 9 });
        },
      });
      const chartView = terse.figure(stage.figures, {
        height: HEIGHT, label: 'probability of a right majority over that of one worker',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0.3, 1], label: 'ρ of one worker', ticks: [0.3, 0.5, 0.7, 0.9] }, y: { domain: [0, 1], label: `P(vote of ${workers.value} is right)`, format: percent }, left: 56 });
          chart.line([[0.3, 0.3], [1, 1]], { color: 'var(--muted)', width: 1.5 });
          chart.rule({ x: 0.5 });
          chart.line(curve((r) => voteSuccess(r, workers.value), 0.3, 1), { series: 0, width: 3.5 });
          dot(chart, rho.value, voteSuccess(rho.value, workers.value), { series: 0, r: 9 });
        },
      });
      function update() {
        const draws = random(11);
        dots = range(MOST_WORKERS, (i) => [i + 1, simulatedVotes(rho.value, i + 1, 2000, draws)]);
        readout.set([[percent(voteSuccess(rho.value, workers.value)), 'formula', 0], [percent(dots[workers.value - 1][1]), 'drawn', 1]]);
        left.redraw();
        chartView.redraw();
      }
      update();
    },
  };

  // ---------------------------------------------------------------------------------- 3: skewed noise and batches

  const SKEW = { up: 4, down: -1, chance: 0.2, deviation: 2 };

  // P(sign of the batch mean is right) for the gradient g > 0: the batch has K draws of `up`, K binomial.
  function batchRight(g, batch) {
    const [gap, least] = [SKEW.up - SKEW.down, -(g + SKEW.down)];
    return sum(range(batch + 1, (k) => (gap * k / batch > least + 1e-12 ? binomial(batch, k, SKEW.chance) : 0)));
  }
  const cantelli = (g, batch) => 1 - 1 / (1 + batch * (g / SKEW.deviation) ** 2);

  const skew = {
    id: 'skew',
    title: 'Skewed noise misleads signs; batches mend it',
    lead: 'Noise of mean 0: −1 in four of five draws, +4 in one. Most draws point the wrong way.',
    columns: '5fr 5fr 4fr',
    command: (data) => data.batches.command,
    made: 'Left and middle: exact, computed in this page. Right: real runs of this program, by --batch.',
    question: 'Would more voters help instead of a larger batch?',
    answer: 'No. Each vote is wrong with probability 0.8, and a majority of such votes is wrong almost surely. The average within a '
      + 'worker must come before its sign.',
    notes: ['Left: where the average of a batch can fall, and how likely. Orange is the wrong side.',
      'Middle: the bound by Cantelli, 1 − 1/(1 + τ S²), holds for every noise. It passes one half at τ = 1/S², where S = g/2. The '
      + 'true probability does so earlier; it falls back where one more of the rare draws is needed.',
      'Right: on Rosenbrock’s function a gradient of one term is wrong for most coordinates, a larger batch is right more often.'],
    build(stage) {
      const batch = terse.slider(stage.controls, { label: 'batch τ', key: 'skew.batch', values: [1, 2, 4, 8, 16, 32, 64, 128], value: 1, format: format.count, change: () => update() });
      const slope = terse.slider(stage.controls, { label: 'gradient g', key: 'skew.gradient', min: 0.1, max: 0.9, step: 0.1, value: 0.5, change: () => update() });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'distribution of the average of a batch',
        draw(fig) {
          const outcomes = range(batch.value + 1, (k) => [slope.value + SKEW.down + 5 * k / batch.value, binomial(batch.value, k, SKEW.chance)]);
          const most = Math.max(...outcomes.map(([, p]) => p));
          const chart = fig.axes({ x: { domain: [-1.2, 5.2], label: 'average of the batch', ticks: [-1, 0, 1, 2, 3, 4, 5] }, y: { domain: [0, most * 1.08], label: 'probability', ticks: 3 }, left: 44 });
          const width = Math.max(2.5, Math.min(18, (chart.right - chart.left) / (6.4 * batch.value / 5) * 0.7));
          outcomes.forEach(([x, p]) => chart.put('rect', {
            x: chart.x(x) - width / 2, width, y: chart.y(p), height: chart.bottom - chart.y(p), fill: terse.series(x > 1e-9 ? 2 : 1), 'data-tip': percent(p),
          }));
          chart.rule({ x: 0 });
          chart.put('path', { d: `M${chart.x(slope.value)} ${chart.bottom - 2}l-7 -12h14z`, fill: 'var(--ink)' });
        },
      });
      const middle = terse.figure(stage.figures, {
        height: HEIGHT, label: 'probability of a right sign over the batch',
        draw(fig) {
          const batches = range(128, (i) => i + 1);
          const chart = fig.axes({ x: { domain: [1, 128], scale: 'log', label: 'batch τ', ticks: [1, 4, 16, 64] }, y: { domain: [0, 1], label: 'P(sign is right)', format: percent }, left: 56, right: 16 });
          chart.rule({ y: 0.5 });
          chart.line(batches.map((b) => [b, cantelli(slope.value, b)]), { series: 3, width: 2.5, dash: '9 5' });
          chart.line(batches.map((b) => [b, batchRight(slope.value, b)]), { series: 2, width: 2.5, dash: null });
          chart.text(120, 0.1, 'dashed: bound', { anchor: 'end', class: '' });
          dot(chart, batch.value, batchRight(slope.value, batch.value), { series: 2, r: 9 });
        },
      });
      terse.figure(stage.figures, {
        height: HEIGHT, label: 'right signs on Rosenbrock’s function by batch',
        draw(fig) {
          const runs = stage.data.batches.runs;
          const chart = fig.axes({ x: { bands: runs.map((run) => String(run.batch)), label: '--batch' }, y: { domain: [0, 1], label: 'right signs, Rosenbrock', format: percent }, left: 54 });
          chart.bars(runs.map((run) => ({ x: String(run.batch), value: mean(run.points.map(([, , share]) => share)), series: 5 })));
          chart.rule({ y: 0.5 });
        },
      });
      function update() {
        readout.set([[percent(batchRight(slope.value, batch.value)), 'right', 2], [percent(Math.max(0, cantelli(slope.value, batch.value))), 'bound', 3]]);
        left.redraw();
        middle.redraw();
      }
      update();
    },
  };

  // ---------------------------------------------------------------------------------------- 4: the stochastic sign

  // Means of 1 … most draws of ‖g‖·ssign(g) at the numbers in `counts`.
  function meansOfDraws(g, counts, seed) {
    const length = norm(g);
    const draws = random(seed);
    const total = g.map(() => 0);
    const found = new Map();
    for (let n = 1; n <= counts[counts.length - 1]; ++n) {
      g.forEach((value, i) => { total[i] += draws.next() < 0.5 + value / (2 * length) ? length : -length; });
      if (counts.includes(n)) found.set(n, total.map((value) => value / n));
    }
    return found;
  }

  const stochastic = {
    id: 'unbiased',
    title: 'A random sign whose mean is the gradient',
    lead: 'P(+) = 1/2 + gᵢ/(2‖g‖). Times ‖g‖ its mean is exactly g: one bit each, and no bias.',
    columns: '3fr 2fr',
    command: (data) => data.draw.command,
    made: 'The gradient is that of this packet; the draws are made in this page.',
    question: 'A model has ten million coordinates. How good is one draw?',
    answer: 'Its squared error is d − 1 times ‖g‖²: almost pure noise. It is unbiased, so an average over steps and workers '
      + 'removes the noise, but it takes of the order of d draws. SSDM therefore smooths by momentum before the sign.',
    notes: ['Grey: the gradient. Orange: the mean of N draws. With N = 1 every bar has the length ‖g‖.',
      'Right: measured relative error and √((d − 1)/N), both exact statements about this compressor; a law test checks them.'],
    build(stage) {
      const g = stage.data.draw.input;
      const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
      const means = meansOfDraws(g, counts, 21);
      const error = (n) => norm(means.get(n).map((value, i) => value - g[i])) / norm(g);
      const number = terse.slider(stage.controls, { label: 'draws N', key: 'unbiased.draws', values: counts, value: 1, format: format.count, change: () => update() });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'a gradient and the mean of N stochastic signs',
        draw(fig) {
          const most = norm(g) * 1.08;
          const chart = fig.axes({ x: { bands: g.map((_, i) => String(i + 1)), label: 'coordinate' }, y: { domain: [-most, most] }, left: 44, top: 8 });
          chart.bars(g.map((value, i) => ({ x: String(i + 1), value, color: 'var(--series-7)' })), { width: 0.8 }).forEach((bar) => bar.setAttribute('fill-opacity', 0.4));
          chart.bars(means.get(number.value).map((value, i) => ({ x: String(i + 1), value, series: 1 })), { width: 0.36 });
          chart.line([['1', 0], [String(g.length), 0]], { color: 'var(--muted)', width: 1 });
        },
      });
      const chartView = terse.figure(stage.figures, {
        height: HEIGHT, label: 'relative error over the number of draws',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [1, 4096], scale: 'log', label: 'draws N', ticks: [1, 16, 256, 4096], format: format.count }, y: { domain: [0.01, 5], scale: 'log', label: 'relative error' }, left: 52, right: 22 });
          chart.line([1, 4096].map((n) => [n, Math.sqrt((g.length - 1) / n)]), { color: 'var(--muted)', dash: '8 5', width: 2 });
          chart.points(counts.map((n) => [n, error(n)]), { series: 1, r: 5 });
          dot(chart, number.value, error(number.value), { series: 1, r: 10 });
          chart.text(1.3, 0.02, 'dashed: √((d − 1)/N)', { class: '' });
        },
      });
      function update() {
        readout.set([[format.number(error(number.value), 2), 'relative error', 1], [format.number(Math.sqrt((g.length - 1) / number.value), 2), 'expected']]);
        left.redraw();
        chartView.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------- 5: median, not mean

  const NODES = { rate: 0.01, beta: 0.9, steps: 1500, start: 2, noise: 0.2 };

  // x over the steps of SGD, SSDM and SSDM with norms on f_n = (x − a_n)²/2. In one dimension a stochastic sign is the sign.
  function nodePaths(minimisers) {
    return [0, 1, 2].map((method) => {
      const draws = random(31);
      const momenta = minimisers.map((a) => NODES.start - a);
      let x = NODES.start;
      return range(NODES.steps + 1, (step) => {
        const now = x;
        const moves = minimisers.map((a, n) => {
          const gradient = now - a + NODES.noise * draws.normal();
          momenta[n] = NODES.beta * momenta[n] + (1 - NODES.beta) * gradient;
          return method === 0 ? gradient : method === 1 ? Math.sign(momenta[n]) : momenta[n];
        });
        x -= NODES.rate * mean(moves);
        return [step, now];
      });
    });
  }

  const median = {
    id: 'median',
    title: 'SSDM settles at the median, not at the mean',
    lead: 'Three nodes, fₙ = (x − aₙ)²/2, with minima at 0, 0 and a. All pull with the same force.',
    columns: '3fr 2fr',
    command: (data) => data.median.command,
    made: '',
    question: 'The third node moves to a = 1 000 000. Where does SSDM settle?',
    answer: 'At 0, where it was: each node pulls with a force of length 1, and two of three pull to 0. The mean moves to 333 333. '
      + 'If all nodes share one minimum, as in the counter-example, median and mean agree, and SSDM finds it.',
    notes: ['Right: what each method follows. The gradient crosses zero at the mean; the sum of unit forces crosses it at the median.',
      'With norms (the worker sends ‖m‖ as well, 32 bits more) the forces have their lengths again, and the mean is reached.',
      'The rate and form of SSDM that we use are reconstructed from notes on the paper; that it stalls here was derived and measured by us.'],
    build(stage) {
      let paths;
      const names = ['SGD', 'SSDM', 'SSDM with norms'];
      const third = terse.slider(stage.controls, { label: 'third minimum a', key: 'median.third', min: 0, max: 6, step: 0.25, value: 3, change: () => update() });
      paths = nodePaths([0, 0, third.value]);
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT, label: 'x over the steps of three methods',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, NODES.steps], label: 'step', ticks: 5 }, y: { domain: [-0.5, 3], label: 'x' }, left: 40, right: 74 });
          const average = third.value / 3;
          [[average, 'mean'], [0, 'median']].forEach(([y, name]) => {
            chart.line([[0, y], [NODES.steps, y]], { color: 'var(--muted)', dash: '7 5', width: 1.5 });
            if (name === 'median' || average > 0.2) chart.text(NODES.steps, y, name, { dx: 8 });
          });
          [0, 2, 1].forEach((i) => chart.line(paths[i].filter((_, k) => k % 5 === 0), { series: i, width: i === 1 ? 4 : 2.5, dash: null }));
        },
      });
      const forces = terse.figure(stage.figures, {
        height: HEIGHT, label: 'the gradient and the sum of unit forces over x',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [-1, 6.5], label: 'x', ticks: [0, 2, 4, 6] }, y: { domain: [-2, 2], label: 'force' }, left: 40 });
          chart.line([[-1, 0], [6.5, 0]], { color: 'var(--ink)', width: 1 });
          chart.line(curve((x) => x - third.value / 3, -1, 6.5).map(([x, y]) => [x, Math.abs(y) <= 2 ? y : null]), { series: 0, width: 3 });
          const a = third.value;
          chart.line([[-1, -1], [0, -1], [0, 1 / 3], [a, 1 / 3], [a, 1], [6.5, 1]], { series: 1, width: 3, dash: null });
          dot(chart, a / 3, 0, { series: 0, r: 8 });
          dot(chart, 0, 0, { series: 1, r: 8 });
        },
      });
      const found = Object.fromEntries(stage.data.median.methods.map((one) => [one.method, one]));
      stage.say(`Computed in this page. |∇f| in the program: ssdm ${found.ssdm.gradient}, ssdm:scaled ${found['ssdm:scaled'].gradient}, sgd ${found.sgd.gradient}.`);
      function update() {
        paths = nodePaths([0, 0, third.value]);
        readout.set(names.map((name, i) => [format.number(mean(paths[i].slice(-200).map(([, x]) => x)) + 0, 2), name, i]));
        left.redraw();
        forces.redraw();
      }
      update();
    },
  };

  // ------------------------------------------------------------------------------------------- 6: partitioned data

  const partitioned = {
    id: 'partitioned',
    title: 'Real training, with the data sorted by label',
    lead: 'LeNet-5 on Fashion-MNIST. By label: each of four workers has images of a few classes.',
    command: (data) => data.partitioned.command,
    made: 'Real runs of this program, one seed for each method.',
    question: 'Why does error feedback survive what ruins the vote?',
    answer: 'A class that one worker of four knows never has a majority, so the vote unlearns it. Error feedback keeps what a sign has '
      + 'left out and sends it later: in the long run every worker’s gradient arrives with its length.',
    notes: ['Switch the partition. Percentages: test accuracy after the last epoch until this step. On shuffled data all methods learn; by label, vote and SSDM fall behind and error feedback does not.',
      'This is the neural-network form of the last scene. SSDM with norms is not shown: its variance of d − 1 leaves no useful rate '
      + 'for 61 706 coordinates.'],
    build(stage) {
      const { runs } = stage.data.partitioned;
      const steps = Math.max(...runs.map((run) => run.steps));
      const partition = terse.segmented(stage.controls, {
        label: 'data of the workers', key: 'partitioned.data', value: 'by-label:2', change: () => update(),
        options: [{ value: 'iid', label: 'shuffled' }, { value: 'by-label:2', label: 'by label' }],
      });
      const until = terse.slider(stage.controls, { label: 'until step', key: 'partitioned.step', min: 50, max: steps, step: 1, value: steps, format: format.count, change: () => update() });
      const chosen = () => runs.filter((run) => run.partition === partition.value);
      const reached = (run) => {
        const evaluations = run.accuracy.filter(([step]) => step <= until.value);
        return evaluations.length ? percent(evaluations[evaluations.length - 1][1]) : '';
      };
      const view = terse.figure(stage.figures, {
        height: HEIGHT, label: 'training loss over the steps',
        draw(fig) {
          const chart = fig.axes({ x: { domain: [0, steps], label: 'step', format: format.count }, y: { domain: [0, 2.5], label: 'training loss' }, left: 42, right: 256 });
          const ends = [];
          chosen().forEach((run, i) => {
            const points = smooth(run.points.map(([step, loss]) => [step, Math.min(2.5, loss)]), 3);
            chart.line(points, { series: i, width: 1.25, dash: null }).setAttribute('opacity', 0.35);
            chart.line(points.filter(([step]) => step <= until.value), { series: i, width: 4, dash: null });
            ends.push([points[points.length - 1], `${run.name} ${reached(run)}`, i]);
          });
          ends.sort((a, b) => b[0][1] - a[0][1]);
          let lowest = -Infinity;
          ends.forEach(([[x, y], name, i]) => {
            lowest = Math.max(lowest + 19, chart.y(y));
            chart.put('text', { x: chart.x(x) + 10, y: lowest + 5, style: `fill: ${terse.series(i)}; font-weight: 600` }, name);
          });
        },
      });
      function update() {
        view.redraw();
      }
    },
  };

  terse.lecture({
    title: 'Stochastic sign descent', paper: 'Safaryan and Richtárik, arXiv 1905.12938',
    scenes: [right, vote, skew, stochastic, median, partitioned],
  });
})((globalThis.terse ??= {}));
