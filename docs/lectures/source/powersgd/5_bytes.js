/* Scene 5 of the lecture on PowerSGD: Bytes of all methods on ResNet-18. */
(function (terse) {
  'use strict';

  const { format } = terse;

  terse.scene({
    id: 'bytes',
    title: 'Bytes on ResNet-18, method by method',
    lead: '11 173 962 parameters in 62 tensors, four bytes each. The scale is logarithmic.',
    command: (data) => data.bytes.command,
    made: '',
    question: 'Sign and vote have packets of one size. Why does sign send more?',
    answer:
      'Votes are combined slice by slice and come back as one bit. Signs with a scale cannot be added, ' +
      'so every packet is forwarded ' +
      'to all W workers: traffic grows with W − 1. A ring all-reduce sends 2(W − 1)/W of a packet, whatever W is.',
    notes: [
      'Packet: what a worker encodes in a step. Sent: what leaves its NIC, with forwarding, counted in a ring.',
      'Change W from 2 to 8: orange bars grow with W − 1, blue ones less than twofold. Slices and ' +
        'all-reduces are blue. Pale: computed as W − 1 packets, because ' +
        'their decompositions take long.',
      'These are sizes alone. The accuracy at these sizes is the question of the next scene.',
    ],
    build(stage) {
      const { methods, workers } = stage.data.bytes;
      const what = terse.segmented(stage.controls, {
        label: 'bytes of a step',
        key: 'bytes.what',
        value: 'sent',
        change: () => update(),
        options: [
          { value: 'packet', label: 'packet' },
          { value: 'sent', label: 'sent by a worker' },
        ],
      });
      const count = terse.slider(stage.controls, {
        label: 'workers W',
        key: 'bytes.workers',
        values: workers,
        value: 4,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const value = (one) =>
        what.value === 'packet'
          ? one.packet
          : one.sent
            ? one.sent[workers.indexOf(count.value)]
            : (count.value - 1) * one.packet;
      const grows = (one) => one.sent && one.sent[workers.length - 1] / one.sent[0] > 3;
      const view = terse.figure(stage.figures, {
        height: 296,
        label: 'bytes of each method on ResNet-18',
        draw(fig) {
          const rows = [...methods].sort((a, b) => b.packet - a.packet);
          const chart = fig.axes({
            x: { domain: [3e4, 2e8], scale: 'log', format: (bytesValue) => format.bytes(bytesValue, 2) },
            y: { bands: rows.map((_, i) => i), format: () => '' },
            left: 190,
            top: 2,
            right: 90,
          });
          fig.root.querySelectorAll('.axes text[text-anchor="end"]').forEach((text) => text.remove());
          const slot = (chart.bottom - chart.top) / rows.length;
          rows.forEach((one, i) => {
            const y = chart.top + slot * (i + 0.5);
            chart.put(
              'text',
              { x: chart.left - 10, y: y + 5, 'text-anchor': 'end', class: 'value', style: 'font-size: 14px' },
              one.method,
            );
            const found = value(one);
            chart.put('rect', {
              x: chart.left,
              y: y - slot * 0.38,
              width: Math.max(1, chart.x(found) - chart.left),
              height: slot * 0.76,
              fill: terse.series(grows(one) || !one.sent ? 1 : 0),
              'fill-opacity': one.sent || what.value === 'packet' ? 1 : 0.45,
              class: 'bar',
            });
            chart.put(
              'text',
              { x: chart.x(found) + 8, y: y + 5, class: 'value', style: 'font-size: 14px' },
              format.bytes(found, 3),
            );
          });
        },
      });
      function update() {
        readout.set([
          ['blue', 'added during the exchange', 0],
          ['orange', 'gathered', 1],
        ]);
        stage.command(stage.data.bytes.command.replace(/--workers \d+/, `--workers ${count.value}`));
        stage.say(
          what.value === 'packet'
            ? 'Counted from real packets, with headers; the same for every W. The command has six methods; --method adds others.'
            : 'Counted in a ring of W workers, pale bars computed. The command has six methods; --method adds others.',
        );
        view.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
