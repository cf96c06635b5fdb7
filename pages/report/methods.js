/*
 * Section 4: inside one run's method, at one of its recorded steps.
 */
(function (terse) {
  'use strict';

  const { el, report } = terse;

  const isRich = (run) => report.healthOf(run).length > 0 || Boolean(run.staleness);

  // Draws one recorded step. What the run has comes first.
  function drawStep(host, run, health, line) {
    if (run.topology === 'async' && health.length === 0) {
      host.replaceChildren();
      report.staleness.draw(host, run);
      terse.absent(host, 'Singular values, mass curves and votes are recorded of synchronous runs only.');
      return;
    }
    const drawers = [
      (part) => report.lowRank.draw(part, line),
      (part) => report.sparse.mass(part, line),
      (part) => report.sparse.sent(part, health),
      (part) => report.votes.draw(part, line),
      (part) => report.staleness.draw(part, run),
    ];
    host.replaceChildren();
    const parts = drawers.map((drawer) => {
      const part = el('div', { class: 'method' });
      host.append(part); // figures need their width when they are drawn
      return { part, shows: drawer(part) };
    });
    host.append(...parts.filter(({ shows }) => !shows).map(({ part }) => part));
  }

  function draw(host, data) {
    const command = report.commandOf(host);
    const [controls, stepHost, figures] = [el('div', { class: 'controls' }), el('div'), el('div')];
    host.append(controls, figures);
    const change = () => {
      const run = data.runs[Number(choice.value)];
      const health = report.healthOf(run).map((line) => ({ ...line, tensors: line.tensors ?? [] }));
      const last = health.length - 1;
      const show = (i) => drawStep(figures, run, health, health[i]);
      command.show(run?.command);
      stepHost.replaceChildren();
      const step = health.length > 0 && terse.stepper(stepHost, {
        label: 'recorded step', key: 'methods.step', min: 0, max: last, value: last, change: show,
        format: (i) => String(health[i].step),
      });
      show(step ? step.value : last);
    };
    const label = (run) => run.label + (isRich(run) ? '' : ' (nothing recorded)');
    const choice = terse.select(controls, {
      label: 'run', key: 'methods.run', value: String(report.mostRecorded(data)), change,
      options: data.runs.map((run, i) => ({ value: String(i), label: label(run) })),
    });
    controls.append(stepHost);
    change();
  }

  report.add({
    id: 'methods',
    title: 'Methods',
    lead: 'Why a method works on these gradients, or does not: how much a rank or a share of the values keeps, how clear '
      + 'votes are, how stale gradients are.',
    draw,
  });
})((globalThis.terse ??= {}));
