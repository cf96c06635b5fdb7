/* Scene 5 of the lecture on signSGD: The sign stands still, error feedback steps out. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, random } = terse.maths;
  const { dot, clip, power, HEIGHT } = terse.drawing;

  const VALLEY = { rate: 0.05, steps: 160 };

  // Paths on f = (<a1, x>² + <a2, x>²)/2; a step draws one of the functions <a_n, x>², or takes both.
  function valleyPaths(eps) {
    const a = [
      [1 + eps, -1 + eps],
      [-1 + eps, 1 + eps],
    ];
    const inner = (u, v) => u[0] * v[0] + u[1] * v[1];
    const f = (x) => 0.5 * (inner(a[0], x) ** 2 + inner(a[1], x) ** 2);
    const gradient = (n, x) => a[n].map((value) => 2 * inner(a[n], x) * value);
    const draws = random(3);
    const picks = range(VALLEY.steps, () => (draws.next() < 0.5 ? 0 : 1));
    const walk = (move) => {
      const path = [[1, 1]];
      picks.forEach((n) => {
        path.push(move(path[path.length - 1], n));
      });
      return { path, values: path.map((x, k) => [k, Math.max(1e-8, f(x))]) };
    };
    const residuals = [[0, 0]];
    return [
      { name: 'sign', ...walk((x, n) => gradient(n, x).map((value, i) => x[i] - VALLEY.rate * Math.sign(value))) },
      {
        name: 'vote of both',
        ...walk((x) =>
          x.map(
            (value, i) => value - VALLEY.rate * Math.sign(Math.sign(gradient(0, x)[i]) + Math.sign(gradient(1, x)[i])),
          ),
        ),
      },
      {
        name: 'error feedback',
        residuals,
        ...walk((x, n) => {
          const p = gradient(n, x).map((value, i) => VALLEY.rate * value + residuals[residuals.length - 1][i]);
          const scale = (Math.abs(p[0]) + Math.abs(p[1])) / 2;
          const sent = p.map((value) => scale * (value < 0 ? -1 : 1));
          residuals.push(p.map((value, i) => value - sent[i]));
          return x.map((value, i) => value - sent[i]);
        }),
      },
      { name: 'SGD', ...walk((x, n) => gradient(n, x).map((value, i) => x[i] - VALLEY.rate * value)) },
    ];
  }

  function drawValley(fig, eps, method, series, step) {
    const chart = fig.axes({
      x: { domain: [-0.85, 2.6], label: 'x₁', ticks: [0, 1, 2] },
      y: { domain: [-0.3, 1.9], ticks: [0, 1] },
      left: 34,
      top: 6,
    });
    clip(chart);
    for (const level of [0.02, 0.1, 0.3, 0.7, 1.4, 2.5, 4]) {
      const points = range(73, (i) => {
        const angle = (i * Math.PI) / 36;
        const [u, v] = [
          (Math.sqrt(2 * level) / (2 * eps)) * Math.cos(angle),
          (Math.sqrt(2 * level) / 2) * Math.sin(angle),
        ];
        return [(u + v) / Math.SQRT2, (u - v) / Math.SQRT2];
      });
      chart.line(points, { color: 'var(--line)', width: 1.2 });
    }
    chart.line(
      [
        [-0.4, 2.4],
        [2.5, -0.5],
      ],
      { color: 'var(--muted)', dash: '7 6', width: 1.5 },
    );
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

  terse.scene({
    id: 'stuck',
    title: 'The sign stands still, error feedback steps out',
    lead: 'Two nodes, one minimum at 0. Both signs point along the dashed line, in opposite directions.',
    columns: '1fr 1fr',
    command: (data) => data.counterexample.command,
    made: '',
    question: 'Why does no learning rate help the sign?',
    answer:
      'Between the two nodes’ lines the signs are (+, −) and (−, +). Every step keeps x₁ + x₂ = 2, whatever its ' +
      'length, and f cannot fall below its value at (1, 1). The residual of error feedback adds up what points to 0.',
    notes: [
      'Choose a method and step. A step draws one of the two functions; the vote takes both, and its ' +
        'ties stay where they are.',
      'Arrow: from x to x − e, the point at which plain SGD would be. Error feedback keeps it within reach of x.',
      'f = (⟨a₁, x⟩² + ⟨a₂, x⟩²)/2 with a = (±1 + ε, ∓1 + ε), from Karimireddy et al., arXiv 1901.09847. ' +
        'The program takes ' +
        'ε = 0.1 and rates that fall with the number of steps.',
    ],
    build(stage) {
      const names = ['sign', 'vote of both', 'error feedback', 'SGD'];
      const order = [1, 3, 2, 0];
      let paths;
      const method = terse.segmented(stage.controls, {
        label: 'method',
        key: 'stuck.method',
        options: names.map((name, i) => ({ value: String(i), label: name })),
        value: '0',
        change: () => update(),
      });
      const step = terse.slider(stage.controls, {
        label: 'step',
        key: 'stuck.step',
        min: 0,
        max: VALLEY.steps,
        step: 1,
        value: 60,
        format: format.count,
        change: () => update(),
      });
      const eps = terse.slider(stage.controls, {
        label: 'ε',
        key: 'stuck.eps',
        min: 0.1,
        max: 0.8,
        step: 0.05,
        value: 0.4,
        change: () => update(),
      });
      paths = valleyPaths(eps.value);
      const plane = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'path on the counter-example',
        draw: (fig) => drawValley(fig, eps.value, paths[Number(method.value)], order[Number(method.value)], step.value),
      });
      const values = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'f over the steps',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, VALLEY.steps], label: 'step', ticks: 4 },
            y: { domain: [1e-6, 10], scale: 'log', label: 'f', format: power },
            left: 56,
            right: 16,
          });
          paths.forEach((one, i) => {
            const chosen = i === Number(method.value);
            chart
              .line(
                one.values.map(([k, v]) => [k, Math.max(1e-6, v)]),
                { series: order[i], width: chosen ? 4 : 1.75, dash: null },
              )
              .setAttribute('opacity', chosen ? 1 : 0.55);
          });
          chart.rule({
            x: step.value,
            label: `f = ${format.number(paths[Number(method.value)].values[step.value][1], 2)}`,
          });
        },
      });
      const gradient = Object.fromEntries(
        stage.data.counterexample.methods.map((one) => [one.method, format.number(one.gradient, 2)]),
      );
      stage.say(
        `Paths: computed in this page. |∇f| that the program reaches: sign ${gradient.sign}, vote ${gradient.vote}, ` +
          `sign+ef ${gradient['sign+ef']}.`,
      );
      function update() {
        paths = valleyPaths(eps.value);
        plane.redraw();
        values.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
