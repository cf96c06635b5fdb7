/*
 * Section 6: a recorded packet, byte by byte. Hovering or focusing a field shows its bytes, bits and values.
 */
(function (terse) {
  'use strict';

  const { el, format, report } = terse;

  const HEADER = 32;
  const FIRST_ROWS = 24;
  // The header of optim/packet.hpp, little-endian.
  const HEADER_FIELDS = [
    ['magic and version', 0, 4], ['compressor', 4, 2], ['kind', 6, 1], ['phase', 7, 1], ['step', 8, 4], ['worker', 12, 2],
    ['contributors', 14, 2], ['tensors', 16, 4], ['checksum', 20, 4], ['payload bytes', 24, 8],
  ];

  function bytesOf(hex) {
    const digits = (hex ?? '').replace(/[^0-9a-fA-F]/g, '');
    return Uint8Array.from({ length: digits.length >> 1 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  }

  const hexText = (byte) => byte.toString(16).padStart(2, '0');
  const bitsText = (byte) => byte.toString(2).padStart(8, '0');

  function unsigned(bytes, offset, size) {
    let value = 0;
    for (let i = size - 1; i >= 0; --i) value = value * 256 + (bytes[offset + i] ?? 0);
    return value;
  }

  function headerText(name, bytes, offset, size, header) {
    if (name === 'magic and version') return `${String.fromCharCode(...bytes.slice(0, 3))} ${bytes[3]}`;
    if (name === 'kind' && header?.kind) return String(header.kind);
    const number = unsigned(bytes, offset, size);
    if (name === 'compressor' && header?.compressor_name) return `${number} (${header.compressor_name})`;
    if (name === 'checksum') return number.toString(16).padStart(8, '0') + (header?.sound === false ? ', wrong' : header?.sound ? ', right' : '');
    return format.count(number);
  }

  // All fields in the order of their offsets, the header's first. Payload bytes after the last described field become one.
  function fieldsOf(packet, bytes) {
    const header = HEADER_FIELDS.filter(([, offset, size]) => offset + size <= bytes.length)
      .map(([name, offset, size]) => ({ name, offset, size, header: true, text: headerText(name, bytes, offset, size, packet.header) }));
    const payload = (packet.fields ?? []).filter((field) => field.offset >= HEADER && field.size > 0).sort((a, b) => a.offset - b.offset);
    const end = packet.bytes ?? bytes.length;
    const described = payload.reduce((last, field) => Math.max(last, field.offset + field.size), HEADER);
    if (described < end) payload.push({ name: described === HEADER ? 'payload' : 'further payload', offset: described, size: end - described, text: 'not described in this page' });
    return [...header, ...payload];
  }

  const colorOf = (field) => (field.header ? 'var(--series-7)' : terse.series(field.color));
  const swatch = (field) => el('span', { class: 'swatch', style: `background: ${colorOf(field)}` });

  function detailOf(field, bytes) {
    const own = Array.from(bytes.slice(field.offset, field.offset + Math.min(field.size, 16)));
    const more = field.size > own.length ? ' …' : '';
    const rows = [
      ['offset', `${field.offset}`], ['size', format.bytes(field.size)], ['bytes', own.length ? own.map(hexText).join(' ') + more : 'beyond the recorded part'],
      ['bits', own.slice(0, 8).map(bitsText).join(' ') + (field.size > 8 ? ' …' : '')], ['value', field.text || '–'],
    ];
    return el('dl', {}, rows.map(([name, text]) => [el('dt', {}, name), el('dd', {}, text)]));
  }

  function byteTip(at, byte, field) {
    return `byte ${at}: ${hexText(byte)} = ${bitsText(byte)} = ${byte}\n${field ? field.name : 'no field'}`;
  }

  // ---- the viewer of one packet

  function gridOf(bytes, fields, width, rows) {
    const owner = new Array(bytes.length).fill(-1);
    fields.forEach((field, i) => owner.fill(i, field.offset, Math.min(bytes.length, field.offset + field.size)));
    const lines = [];
    for (let at = 0; at < bytes.length && lines.length < rows; at += width) {
      const cells = Array.from(bytes.slice(at, at + width)).map((byte, k) => {
        const field = owner[at + k];
        return el('span', {
          class: 'byte', 'data-field': field, 'data-tip': byteTip(at + k, byte, fields[field]), style: field >= 0 ? `--field: ${colorOf(fields[field])}` : null,
        }, hexText(byte));
      });
      lines.push(el('div', { class: 'bytes' }, el('span', { class: 'offset' }, String(at)), cells));
    }
    return lines;
  }

  function viewer(host, packet) {
    const bytes = bytesOf(packet.hex);
    let color = -1;
    const fields = fieldsOf(packet, bytes).map((field) => ({ ...field, color: field.header ? 6 : (color = (color + 1) % 6) }));
    const width = host.clientWidth < 520 ? 8 : 16;
    const detail = el('div', { class: 'detail', 'aria-live': 'polite' });
    const grid = el('div', { class: 'grid', 'aria-hidden': 'true' });
    const list = el('ul', { class: 'fields' });
    let rows = FIRST_ROWS;

    const choose = (i) => {
      if (!(i >= 0)) return;
      grid.querySelectorAll('.on').forEach((node) => node.classList.remove('on'));
      grid.querySelectorAll(`[data-field="${i}"]`).forEach((node) => node.classList.add('on'));
      list.querySelectorAll('button').forEach((button, k) => button.setAttribute('aria-pressed', String(k === i)));
      detail.replaceChildren(el('h4', {}, swatch(fields[i]), fields[i].name), detailOf(fields[i], bytes));
    };
    fields.forEach((field, i) => list.append(el('li', {}, el('button', {
      type: 'button', 'aria-pressed': 'false', onfocus: () => choose(i), onpointerenter: () => choose(i), onclick: () => choose(i),
    }, swatch(field), field.name, el('small', {}, `${field.offset} + ${format.bytes(field.size)}`)))));
    grid.addEventListener('pointerover', (event) => choose(Number(event.target.dataset?.field ?? -1)));
    const more = el('button', { type: 'button', class: 'button small', onclick: () => { rows = Infinity; fill(); } });
    const fill = () => {
      grid.replaceChildren(...gridOf(bytes, fields, width, rows));
      more.hidden = rows * width >= bytes.length;
      more.textContent = `show all ${format.count(bytes.length)} recorded bytes`;
    };
    fill();
    const total = packet.bytes ?? bytes.length;
    const caption = bytes.length < total ? `The page has the first ${format.count(bytes.length)} of ${format.count(total)} bytes.`
      : `${format.count(total)} bytes, of which ${HEADER} are the header.`;
    host.replaceChildren(el('div', { class: 'packet' },
      el('div', {}, grid, more, el('p', { class: 'caption' }, caption)), el('div', {}, detail, list)));
    choose(Math.min(HEADER_FIELDS.length, fields.length - 1));
  }

  // ---- the section

  const labelOf = (packet) => `step ${packet.step}, worker ${packet.worker}, phase ${packet.phase}, ${packet.header?.kind ?? 'packet'}, ${format.bytes(packet.bytes)}`;

  function draw(host, data) {
    const command = report.commandOf(host);
    const withPackets = data.runs.map((run, i) => ({ run, i })).filter(({ run }) => run.packets?.length);
    const controls = el('div', { class: 'controls' });
    const place = el('div');
    const box = el('div');
    host.append(controls, box);
    if (withPackets.length === 0) {
      report.runSelect(controls, data, { key: null, disabled: 'recorded by train --record steps=100..110' });
      terse.absent(box, 'No run has recorded packets.', 'train --record steps=100..110');
      return;
    }
    const drawRun = () => {
      const run = data.runs[Number(choice.value)];
      command.show(run.command);
      place.replaceChildren();
      const one = terse.select(place, {
        label: 'packet', key: 'packets.packet', options: run.packets.map((packet, i) => ({ value: String(i), label: labelOf(packet) })),
        change: (i) => viewer(box, run.packets[Number(i)]),
      });
      viewer(box, run.packets[Number(one.value)]);
    };
    const choice = terse.select(controls, {
      label: 'run', key: 'packets.run', options: withPackets.map(({ run, i }) => ({ value: String(i), label: run.label })), change: drawRun,
    });
    controls.append(place);
    drawRun();
  }

  report.add({
    id: 'packets',
    title: 'Packets',
    lead: 'What travels: hover a byte, or focus a field in the list, to see its bytes, bits and values.',
    draw,
  });
})((globalThis.terse ??= {}));
