/*
 * What the sections of the report share: the runs' colours and choices, and the parts of a section.
 *
 *   terse.report.add({id, title, lead, draw(host, data)})   registers a section; the page has them in this order
 *   terse.report.runSelect(host, data, {key, change, all})  a select with all runs; value is an index, or "all"
 *   terse.report.legend(host, data, {key, change})          runs with their colours, which can be switched off; returns
 *                                                           {hidden: Set of indices}
 *   terse.report.commandOf(host)                            {show(text)}: the command under the lead, replaceable
 *   terse.report.swatch(i)                                  a square in the colour of run i
 *   terse.report.scoreOf(run)                               what the run's scores are: "validation accuracy"
 *   terse.report.healthOf(run)                              [{step, ...health}], empty if there is none
 *   terse.report.mostRecorded(data)                         index of the run whose method has the most to see
 */
(function (terse) {
  'use strict';

  const { el, state } = terse;
  const sections = [];

  const add = (section) => {
    sections.push(section);
  };

  function runSelect(host, data, { key, change, all, disabled }) {
    const options = data.runs.map((run, i) => ({ value: String(i), label: run.label }));
    if (all) options.unshift({ value: 'all', label: all });
    return terse.select(host, { label: 'run', key, options, value: options[0]?.value, change, disabled });
  }

  function legend(host, data, { key, change }) {
    const parse = (text) =>
      new Set(
        (text ?? '')
          .split(',')
          .filter((part) => /^\d+$/.test(part))
          .map(Number),
      );
    const self = { hidden: parse(state.get(key)) };
    const items = () =>
      data.runs.map((run, i) => ({ label: run.label, series: i, dash: terse.dash(i), pressed: !self.hidden.has(i) }));
    const toggle = (i, pressed) => {
      if (pressed) self.hidden.delete(i);
      else self.hidden.add(i);
      state.set(key, self.hidden.size ? [...self.hidden].sort((a, b) => a - b).join(',') : null);
      change();
    };
    let list = terse.legend(host, items(), toggle);
    const mark = () => {
      if (data.runs.length > 12) list.classList.add('many');
    };
    mark();
    state.on(key, (text) => {
      self.hidden = parse(text);
      const place = el('div');
      const fresh = terse.legend(place, items(), toggle);
      list.replaceWith(fresh);
      list = fresh;
      mark();
      change();
    });
    return self;
  }

  function commandOf(host) {
    const place = el('div');
    host.append(place);
    return {
      show(text) {
        place.replaceChildren();
        if (text) terse.command(place, text);
      },
    };
  }

  const swatch = (i) => el('span', { class: 'swatch', style: `background: ${terse.series(i)}`, 'aria-hidden': 'true' });

  const healthOf = (run) =>
    (run?.health ?? []).filter((line) => line?.health).map((line) => ({ step: line.step, ...line.health }));

  const scoreOf = (run) => `${run?.split === 'valid' ? 'validation' : 'test'} ${run?.metric === 'perplexity' ? 'perplexity' : 'accuracy'}`;

  // A run with error feedback first, then one with health lines, then an asynchronous one.
  function mostRecorded({ runs }) {
    const residual = (run) =>
      healthOf(run).some((line) => (line.tensors ?? []).some((tensor) => tensor.residual_ratio > 0));
    const wishes = [residual, (run) => healthOf(run).length > 0, (run) => Boolean(run.staleness)];
    return Math.max(0, wishes.map((wish) => runs.findIndex(wish)).find((i) => i >= 0) ?? 0);
  }

  terse.report = { sections, add, runSelect, legend, commandOf, swatch, scoreOf, healthOf, mostRecorded };
})((globalThis.terse ??= {}));
