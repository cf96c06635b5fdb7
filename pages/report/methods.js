/*
 * Section 4: inside one run's method, at one of its recorded steps.
 */
(function (terse) {
  'use strict';

  const { el, report } = terse;

  const isRich = (run) => report.healthOf(run).length > 0 || Boolean(run.staleness);

  function draw(host, data) {
    const command = report.commandOf(host);
    const controls = el('div', { class: 'controls' });
    const stepHost = el('div');
    const figures = el('div');
    host.append(controls, figures);
    let step = null;

    const drawStep = (run, health) => {
      figures.replaceChildren();
      const line = health[Math.min(step?.value ?? 0, health.length - 1)];
      const drawers = [
        (part) => report.lowRank.draw(part, line),
        (part) => report.sparse.mass(part, line),
        (part) => report.sparse.sent(part, health),
        (part) => report.votes.draw(part, line),
        (part) => report.staleness.draw(part, run),
      ];
      const parts = drawers.map((drawer) => {
        const part = el('div', { class: 'method' });
        figures.append(part); // figures need their width when they are drawn
        return { part, shows: drawer(part) };
      });
      // What the run has comes first.
      figures.append(...parts.filter(({ shows }) => !shows).map(({ part }) => part));
    };
    const drawRun = () => {
      const run = data.runs[Number(choice.value)];
      const health = report.healthOf(run).map((line) => ({ ...line, tensors: line.tensors ?? [] }));
      command.show(run?.command);
      stepHost.replaceChildren();
      step =
        health.length === 0
          ? null
          : terse.stepper(stepHost, {
              label: 'recorded step',
              key: 'methods.step',
              min: 0,
              max: health.length - 1,
              value: health.length - 1,
              format: (i) => String(health[Math.min(i, health.length - 1)].step),
              change: () => drawStep(run, health),
            });
      drawStep(run, health);
    };
    const choice = terse.select(controls, {
      label: 'run',
      key: 'methods.run',
      value: String(report.mostRecorded(data)),
      change: drawRun,
      options: data.runs.map((run, i) => ({
        value: String(i),
        label: run.label + (isRich(run) ? '' : ' (nothing recorded)'),
      })),
    });
    controls.append(stepHost);
    drawRun();
  }

  report.add({
    id: 'methods',
    title: 'Methods',
    lead: 'Why a method works on these gradients, or does not: how much a rank or a share of the values keeps, how clear votes are, how stale gradients are.',
    draw,
  });
})((globalThis.terse ??= {}));
