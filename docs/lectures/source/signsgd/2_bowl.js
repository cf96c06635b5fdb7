/* Scene 2 of the lecture on signSGD: The path of the sign on a bowl. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, random } = terse.maths;
  const { dot, clip, power, HEIGHT } = terse.drawing;

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
    const chart = fig.axes({
      x: { domain: [-3.2, 3.2], label: 'x' },
      y: { domain: [-1.7, 1.7], ticks: [-1, 0, 1] },
      left: 34,
      top: 6,
    });
    clip(chart);
    for (const level of [0.1, 0.5, 1.5, 4, 9, 16, 25]) {
      const [a, b] = [Math.sqrt(2 * level), Math.sqrt((2 * level) / BOWL.curvature)];
      chart.put('ellipse', {
        cx: chart.x(0),
        cy: chart.y(0),
        rx: chart.x(a) - chart.x(0),
        ry: chart.y(0) - chart.y(b),
        fill: 'var(--series-7)',
        'fill-opacity': 0.05,
        stroke: 'var(--line)',
      });
    }
    paths.forEach((path, i) => chart.line(path.slice(0, steps + 1), { series: i, width: 2.5, dash: null }));
    dot(chart, ...BOWL.start, { series: 6, r: 5 });
    paths.forEach((path, i) => dot(chart, ...path[steps], { series: i, r: 8 }));
  }

  terse.scene({
    id: 'bowl',
    title: 'The path of the sign on a bowl',
    lead: `f(x, y) = (x² + ${BOWL.curvature} y²)/2: SGD follows the slope, the sign takes the same step in each coordinate.`,
    columns: '3fr 2fr',
    command: () => 'rosenbrock --batch 4 --noise 1 --workers 9 --plot valley.svg',
    made: 'Computed in this page, both methods with the same noise and rate. The program does it on Rosenbrock’s function.',
    question: 'Why does the path of the sign begin with a diagonal?',
    answer:
      'Each coordinate moves by the rate, whatever its slope. The steep coordinate arrives first; its sign then ' +
      'alternates, and the path continues along the other axis.',
    notes: [
      'Move the noise from 0 upwards. SGD’s steps grow with the noise; a step of the sign never does.',
      'With much noise the sign is right only a little more often than wrong, so its progress slows ' +
        'down, in proportion to ' +
        'the slope. Without noise it ends in a zigzag as wide as the rate: a rate that falls is needed.',
    ],
    build(stage) {
      let paths = [];
      const noise = terse.slider(stage.controls, {
        label: 'noise of each coordinate σ',
        key: 'bowl.noise',
        min: 0,
        max: 20,
        step: 0.5,
        value: 2,
        change: () => update(),
      });
      const steps = terse.slider(stage.controls, {
        label: 'steps',
        key: 'bowl.steps',
        min: 0,
        max: BOWL.steps,
        step: 1,
        value: 120,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const plane = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'paths of SGD and of the sign on a bowl',
        draw: (fig) => drawBowl(fig, paths, steps.value),
      });
      const values = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'f over the steps',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0, BOWL.steps], label: 'step', ticks: 4 },
            y: { domain: [1e-3, 100], scale: 'log', label: 'f', format: power },
            left: 56,
          });
          paths.forEach((path, i) =>
            chart.line(
              path.map((point, k) => [k, Math.max(1e-3, bowlValue(point))]),
              { series: i, width: 2.5, dash: null },
            ),
          );
          chart.rule({ x: steps.value });
        },
      });
      function update() {
        paths = bowlPaths(noise.value, 5);
        readout.set(
          ['SGD', 'sign'].map((name, i) => [format.number(bowlValue(paths[i][steps.value]), 2), `f, ${name}`, i]),
        );
        plane.redraw();
        values.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
