/* Scene 1 of the lecture on signSGD: One bit per coordinate. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range } = terse.maths;
  const { HEIGHT } = terse.drawing;

  terse.scene({
    id: 'packet',
    title: 'One bit per coordinate',
    lead: 'A worker sends the sign of every coordinate of its gradient, and nothing else.',
    command: (data) => data.packet.command,
    made: 'The gradient, the bits and the bytes are those of this packet.',
    question: 'The gradient becomes a thousand times as large. What changes in the packet?',
    answer:
      'Nothing: sign(c·g) = sign(g) for every c > 0. The learning rate alone sets the length of a step, so it must ' +
      'be about a hundredth of that of SGD. One worker with a huge gradient has one vote, like all others.',
    notes: [
      'Step through it: values, signs, bits, what the receiver decodes. A bit is 1 where the coordinate is negative.',
      'Bits are packed into words of 32, so 24 coordinates take 4 bytes here. The header of 32 bytes is ' +
        'that of every ' +
        'packet of this program; for a real model it does not count.',
    ],
    build(stage) {
      const { input, bits, bytes } = stage.data.packet;
      const signs = bits.replaceAll(' ', '').slice(0, input.length);
      const names = ['gradient', 'signs', 'bits', 'decoded'];
      const step = terse.stepper(stage.controls, {
        label: 'step',
        key: 'packet.step',
        min: 0,
        max: 3,
        value: 0,
        format: (i) => names[i],
        change: () => update(),
      });
      const readout = stage.readout();
      const view = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'the 24 coordinates of a gradient, their signs and their bits',
        draw(fig) {
          const chart = fig.axes({
            x: { bands: range(24).map(String) },
            y: { domain: [-2.6, 2.6], ticks: [-2, -1, 0, 1, 2] },
            left: 34,
            top: 6,
            bottom: 84,
          });
          fig.root.querySelectorAll('.axes text[text-anchor="middle"]').forEach((text) => text.remove());
          input.forEach((value, i) => {
            const negative = signs[i] === '1';
            const faint = step.value === 3 ? 0.25 : 1;
            const [bar] = chart.bars([
              { x: String(i), value, series: step.value === 0 ? 6 : negative ? 0 : 1, tip: format.number(value) },
            ]);
            bar.setAttribute('fill-opacity', faint);
            if (step.value === 3)
              chart.bars([{ x: String(i), value: negative ? -1 : 1, series: negative ? 0 : 1 }], { width: 0.36 });
            const at = chart.x(String(i));
            if (step.value === 0)
              chart.put(
                'text',
                { x: at, y: chart.bottom + 22, 'text-anchor': 'middle', class: 'small value' },
                value.toFixed(1).replace('-', '−'),
              );
            if (step.value === 1)
              chart.put(
                'text',
                { x: at, y: chart.bottom + 26, 'text-anchor': 'middle', class: 'huge' },
                negative ? '−' : '+',
              );
            if (step.value >= 2)
              chart.put(
                'text',
                { x: at, y: chart.bottom + 24, 'text-anchor': 'middle', class: 'huge', style: 'font-size: 22px' },
                signs[i],
              );
          });
          if (step.value >= 2) drawBytes(chart, bytes.slice(64));
        },
      });
      function drawBytes(chart, payload) {
        range(3).forEach((byte) => {
          const [a, b] = [
            chart.x(String(8 * byte)) - chart.band / 2 + 4,
            chart.x(String(8 * byte + 7)) + chart.band / 2 - 4,
          ];
          chart.put('path', { d: `M${a} ${chart.bottom + 32}v7H${b}v-7`, fill: 'none', stroke: 'var(--muted)' });
          chart.put(
            'text',
            { x: (a + b) / 2, y: chart.bottom + 62, 'text-anchor': 'middle', class: 'huge', style: 'font-size: 20px' },
            `0x${payload.slice(2 * byte, 2 * byte + 2)}`,
          );
        });
      }
      function update() {
        readout.set([
          ['768 bits', '24 floats'],
          [step.value < 1 ? '–' : '24 bits', '24 signs'],
          [step.value < 2 ? '–' : '32 ×', 'smaller'],
        ]);
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
