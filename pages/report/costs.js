/*
 * Section 2: the time of a step and the bytes of a step, split into parts, and one run's bytes by tensor.
 */
(function (terse) {
  'use strict';

  const { el, format, report } = terse;

  const TIMES = [
    ['compute', 'compute'],
    ['encode', 'encode'],
    ['exchange', 'exchange'],
    ['decode', 'decode'],
    ['update', 'update'],
  ];
  const BYTES = [
    ['payload', 'payload of own packets'],
    ['headers', 'headers'],
    ['forwarding', 'forwarding for others'],
  ];
  const MOST_TENSORS = 18;

  const rowHeight = (width) => (width < 520 ? 46 : 34);
  const height = (rows) => (width) => rows * rowHeight(width) + 52;

  function partsOf(values, parts, share) {
    const total = parts.reduce((sum, [key]) => sum + (values[key] || 0), 0) || 1;
    return parts.map(([key, label], i) => ({
      label,
      series: i,
      value: share ? (values[key] || 0) / total : values[key] || 0,
    }));
  }

  function stackedFigure(host, data, { title, what, parts, valuesOf, absent, write, axis, note, share, see }) {
    const runs = () => data.runs.map((run, i) => ({ run, i, values: valuesOf(run) }));
    const rows = () =>
      runs()
        .filter(({ values }) => values)
        .map(({ run, values }) => ({
          label: run.label,
          parts: partsOf(values, parts, share()),
          note: note(values),
        }));
    const box = el('div');
    host.append(box);
    const draw = () => {
      box.replaceChildren(el('h3', {}, title()));
      const missing = runs().filter(({ values }) => !values);
      const list = rows();
      if (list.length === 0) {
        terse.absent(box, `No run has recorded ${what}.`, absent);
        return;
      }
      terse.legend(
        box,
        parts.map(([, label], i) => ({ label, series: i, mark: 'box' })),
      );
      terse.figure(box, {
        label: title(),
        height: height(list.length),
        caption: [missing.length ? `Not recorded: ${missing.map(({ run }) => run.label).join(', ')}.` : '', see]
          .filter(Boolean)
          .join(' '),
        draw: (fig) =>
          fig.stacks({
            rows: list,
            format: share() ? format.percent : write,
            label: share() ? 'share' : axis,
            max: share() ? 1 : undefined,
          }),
      });
    };
    draw();
    return { draw };
  }

  // ---- by tensor

  function tensorRows(run) {
    const all = [...run.bytes.by_tensor].sort((a, b) => b.payload - a.payload);
    const rest = all.slice(MOST_TENSORS);
    const shown = all.slice(0, MOST_TENSORS).map((tensor) => ({ name: tensor.tensor, ...tensor }));
    if (rest.length === 0) return shown;
    const sum = (key) => rest.reduce((total, tensor) => total + tensor[key], 0);
    return [...shown, { name: `${rest.length} other tensors`, values: sum('values'), payload: sum('payload') }];
  }

  function byTensor(host, data, command) {
    host.append(el('h3', {}, 'Where the payload goes: by tensor'));
    const controls = el('div', { class: 'controls' });
    const box = el('div');
    host.append(controls, box);
    const draw = () => {
      const run = data.runs[Number(choice.value)];
      command.show(run?.command);
      box.replaceChildren();
      if (!run?.bytes?.by_tensor?.length) {
        terse.absent(
          box,
          `${run?.label ?? 'This run'} has no bytes by tensor, because it ended before a step was counted or does not send packets.`,
        );
        return;
      }
      const rows = tensorRows(run);
      terse.figure(box, {
        label: `payload bytes of ${run.label} by tensor`,
        height: (width) => rows.length * (width < 520 ? 40 : 24) + 52,
        caption: 'Beside each bar: payload bytes of one packet, and bits per value; uncompressed values have 32 bits.',
        draw: (fig) =>
          fig.stacks({
            format: format.bytes,
            label: 'payload bytes of a worker\u2019s packets per step',
            rows: rows.map((row) => ({
              label: row.name,
              note: `${format.bytes(row.payload)}, ${format.number((8 * row.payload) / row.values)} bit`,
              parts: [
                {
                  value: row.payload,
                  series: 0,
                  label: 'payload',
                  tip: `${row.name}\n${format.count(row.values)} values\n${format.count(row.payload)} bytes of payload`,
                },
              ],
            })),
          }),
      });
    };
    const choice = report.runSelect(controls, data, { key: 'costs.run', change: draw });
    draw();
  }

  report.add({
    id: 'costs',
    title: 'Costs',
    lead: 'What a step costs: where worker 0 spends its time, and which bytes it sends. A small packet can still take long to encode.',
    draw(host, data) {
      const command = report.commandOf(host);
      const controls = el('div', { class: 'controls' });
      host.append(controls);
      const redraw = () => [times, bytes].forEach((figure) => figure.draw());
      const modelled = data.runs.some((run) => run.virtual_times);
      const clock = terse.segmented(controls, {
        label: 'time',
        key: 'costs.clock',
        value: 'measured',
        change: redraw,
        options: [
          { value: 'measured', label: 'measured' },
          { value: 'modelled', label: 'modelled', disabled: modelled ? null : 'recorded by train --network' },
        ],
      });
      const scale = terse.segmented(controls, {
        label: 'bars',
        key: 'costs.scale',
        value: 'amount',
        change: redraw,
        options: [
          { value: 'amount', label: 'amounts' },
          { value: 'share', label: 'shares' },
        ],
      });
      const share = () => scale.value === 'share';
      const sum = (values) => TIMES.reduce((total, [key]) => total + (values[key] || 0), 0);
      const times = stackedFigure(host, data, {
        title: () => (clock.value === 'modelled' ? 'Time of a step in the modelled network' : 'Time of a step'),
        parts: TIMES,
        share,
        see: 'The exchange includes waiting for other workers.',
        what: 'the time of its steps',
        absent: clock.value === 'modelled' ? 'train --network' : 'train --out',
        valuesOf: (run) => (clock.value === 'modelled' ? run.virtual_times : run.times),
        write: format.seconds,
        axis: 'time per step',
        note: (values) =>
          format.seconds(sum(values)) + (values.hidden > 0 ? `, ${format.seconds(values.hidden)} hidden` : ''),
      });
      const fewer = (values) =>
        values.uncompressed > 1.05 * values.per_step
          ? ` (${format.number(values.uncompressed / values.per_step)}× fewer)`
          : '';
      const bytes = stackedFigure(host, data, {
        title: () => 'Bytes that a worker sends per step',
        parts: BYTES,
        share,
        what: 'the bytes of its steps',
        absent: 'train --out',
        valuesOf: (run) => run.bytes,
        write: format.bytes,
        axis: 'bytes per step',
        note: (values) => format.bytes(values.per_step) + fewer(values),
      });
      byTensor(host, data, command);
    },
  });
})((globalThis.terse ??= {}));
