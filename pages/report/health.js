/*
 * Section 5: quantities of --measure health over the steps, by tensor of one run, or of the whole model for all runs.
 */
(function (terse) {
  'use strict';

  const { el, format, report } = terse;

  const massAt = (fraction) => (tensor, line) => {
    const i = (line.fractions ?? []).findIndex((one) => Math.abs(one - fraction) < 1e-9);
    return i < 0 ? null : tensor.topk_mass?.[i];
  };
  const QUANTITIES = [
    {
      value: 'residual_ratio',
      label: '|e| / |g|: residual over gradient',
      of: (tensor) => tensor.residual_ratio,
      none: 'The method keeps no residual.',
      see: 'A ratio that keeps growing means that error feedback does not catch up.',
    },
    {
      value: 'contraction',
      label: 'δ: measured contraction',
      of: (tensor) => tensor.contraction,
      declared: true,
      see: 'δ = 1 − |x − C(x)|² / |x|². The grey dashed line is what the compressor declares: the thick line must stay above it, of a random compressor on average.',
    },
    {
      value: 'cosine',
      label: 'cosine of the decoded and the true mean',
      of: (tensor) => tensor.cosine,
      see: '1 means that the update has the direction of the true mean gradient.',
    },
    {
      value: 'gradient_norm',
      label: '|g|: norm of the gradient',
      of: (tensor) => tensor.gradient_norm,
      log: true,
      see: 'Gradients of worker 0. Layers whose norms differ by orders of magnitude are treated differently by one common scale.',
    },
    {
      value: 'stable_rank',
      label: 'stable rank',
      of: (tensor) => tensor.stable_rank,
      none: 'Only matrices have a stable rank.',
      see: '|X|²_F / |X|²₂: a matrix of low stable rank suits PowerSGD.',
    },
    {
      value: 'mass',
      label: 'mass in the largest 1 % of the values',
      of: massAt(0.01),
      percent: true,
      see: 'A large mass suits sparse methods.',
    },
    {
      value: 'ties',
      label: 'share of ties in the vote',
      of: (tensor, line) => (tensor.tensor === null ? line.ties : null),
      percent: true,
      none: 'Only methods that vote have ties.',
      see: 'Of the whole model: coordinates for which as many workers voted plus as minus.',
    },
  ];

  const nameOf = (tensor) => tensor.tensor ?? 'whole model';
  const known = (value) => typeof value === 'number' && Number.isFinite(value);

  // One line per tensor of a run. The whole model is thick, and comes last so that it lies on top.
  function linesOfRun(run, quantity) {
    const health = report.healthOf(run);
    const names = [
      'whole model',
      ...new Set(health.flatMap((line) => (line.tensors ?? []).filter((tensor) => tensor.tensor !== null).map(nameOf))),
    ];
    const lines = names.map((name, i) => ({
      label: name,
      series: name === 'whole model' ? 'ink' : i - 1,
      width: name === 'whole model' ? 4 : 1.5,
      xs: health.map((line) => line.step),
      ys: health.map((line) => {
        const tensor = (line.tensors ?? []).find((one) => nameOf(one) === name);
        return (tensor && quantity.of(tensor, line)) ?? null;
      }),
    }));
    return lines.filter((line) => line.ys.some(known)).sort((a, b) => a.width - b.width);
  }

  function linesOfAll(data, quantity) {
    return data.runs
      .map((run, i) => {
        const health = report.healthOf(run);
        const whole = (line) => (line.tensors ?? []).find((tensor) => tensor.tensor === null);
        return {
          label: run.label,
          series: i,
          width: 2.5,
          xs: health.map((line) => line.step),
          ys: health.map((line) => (whole(line) ? (quantity.of(whole(line), line) ?? null) : null)),
        };
      })
      .filter((line) => line.ys.some(known));
  }

  function declaredLine(run, quantity) {
    const health = report.healthOf(run).filter((line) => known(line.declared_contraction));
    if (!quantity.declared || health.length === 0) return [];
    return [
      {
        label: 'declared',
        series: 'muted',
        dash: '5 4',
        width: 2,
        xs: health.map((line) => line.step),
        ys: health.map((line) => line.declared_contraction),
      },
    ];
  }

  const marked = (line) =>
    typeof line.series === 'string'
      ? { color: `var(--${line.series})`, dash: line.dash }
      : { series: line.series, dash: terse.dash(line.series) };

  // Draws the lines with their legend, and returns the view.
  function drawLines(box, lines, quantity) {
    const items = lines.map((line) => ({ label: line.label, width: Math.min(5, line.width + 1), ...marked(line) }));
    const legend = terse.legend(box, items, (i, pressed) => view.show(i, pressed));
    if (lines.length > 12) legend.classList.add('many');
    const view = terse.curves(box, {
      label: `${quantity.label} over steps`,
      height: 340,
      lines,
      x: { label: 'step' },
      y: { label: quantity.label, log: quantity.log, format: quantity.percent ? format.percent : format.number },
    });
    box.append(el('p', { class: 'caption' }, quantity.see));
    return view;
  }

  // `run` is undefined for all runs.
  function drawQuantity(box, data, run, quantity) {
    box.replaceChildren();
    const lines = run ? [...linesOfRun(run, quantity), ...declaredLine(run, quantity)] : linesOfAll(data, quantity);
    if (lines.length > 0) return drawLines(box, lines, quantity);
    if (run && report.healthOf(run).length === 0) {
      terse.absent(box, `${run.label} has no health lines.`, 'train --measure health');
    } else {
      terse.absent(box, `Nothing to show for \u201c${quantity.label}\u201d. ${quantity.none ?? ''}`);
    }
    return null;
  }

  function draw(host, data) {
    const command = report.commandOf(host);
    const any = data.runs.some((run) => report.healthOf(run).length > 0);
    const controls = el('div', { class: 'controls' });
    const box = el('div');
    host.append(controls, box);
    let view = null;
    const change = () => {
      view?.destroy();
      const run = data.runs[Number(choice.value)];
      command.show(run?.command ?? data.command);
      view = drawQuantity(box, data, run, QUANTITIES.find((one) => one.value === what.value));
    };
    const common = { change, disabled: any ? null : 'recorded by train --measure health' };
    const runs = data.runs.map((run, i) => ({ value: String(i), label: run.label }));
    const all = data.runs.length > 1 ? [{ value: 'all', label: 'all runs, whole model' }] : [];
    const choice = terse.select(controls, {
      label: 'run', key: 'health.run', value: String(report.mostRecorded(data)), options: [...runs, ...all], ...common,
    });
    const what = terse.select(controls, { label: 'quantity', key: 'health.quantity', options: QUANTITIES, ...common });
    change();
  }

  report.add({
    id: 'health',
    title: 'Health',
    lead: 'Whether the assumptions of a method hold during the run: thin lines are tensors, the thick line is the whole model.',
    draw,
  });
})((globalThis.terse ??= {}));
