/*
 * Section 4, asynchronous runs: what each worker computed when, how stale its gradients were, and how often.
 */
(function (terse) {
  'use strict';

  const { el, format } = terse;

  const SERIES = 1;
  const MOST_WORKERS = 24;
  const shade = (staleness, most) => 0.12 + 0.88 * (most > 0 ? Math.min(1, staleness / most) : 0);

  function timeline(host, pushes) {
    const workers = [...new Set(pushes.map(([worker]) => worker))].sort((a, b) => a - b);
    const shown = workers.slice(0, MOST_WORKERS);
    // The full colour begins at the 95th percentile, so that one late push does not make all others pale.
    const sorted = pushes.map(([, , , staleness]) => staleness).sort((a, b) => a - b);
    const most = sorted[Math.floor(0.95 * (sorted.length - 1))];
    const end = Math.max(...pushes.map(([, , pushed]) => pushed));
    const window = end / Math.max(1, pushes.length / workers.length / 8);
    const controls = el('div', { class: 'controls' });
    const scale = [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * most)))];
    host.append(controls);
    let view = null;
    const first = terse.slider(controls, {
      label: 'from',
      key: 'methods.from',
      min: 0,
      max: Math.max(0, Number((end - window).toPrecision(6))),
      value: 0,
      step: end / 200,
      format: (t) => format.number(t),
      change: () => view.redraw(),
    });
    terse.legend(
      host,
      scale.map((staleness) => ({
        label:
          staleness === 0
            ? 'fresh'
            : `staleness ${staleness}${staleness === most && sorted.at(-1) > most ? ' or more' : ''}`,
        series: SERIES,
        opacity: shade(staleness, most),
        mark: 'box',
      })),
    );
    const rows = shown.map((w) => `worker ${w}`);
    view = terse.figure(host, {
      label: 'timeline of the workers',
      height: shown.length * 22 + 56,
      caption:
        'Each bar lasts from the pull of a model to the push of its gradient. Its colour is the staleness: the updates of the server in between.' +
        (workers.length > shown.length ? ` The first ${shown.length} of ${workers.length} workers are shown.` : ''),
      draw(fig) {
        const from = first.value;
        const chart = fig.axes({
          x: { domain: [from, from + window], label: 'time', format: (t) => format.number(t) },
          y: { bands: rows },
          top: 4,
        });
        const thick = (chart.bottom - chart.top) / rows.length - 4;
        for (const [worker, pulled, pushed, staleness] of pushes) {
          const row = shown.indexOf(worker);
          if (row < 0 || pushed < from || pulled > from + window) continue;
          const [a, b] = [Math.max(chart.left, chart.x(pulled)), Math.min(chart.right, chart.x(pushed))];
          chart.put('rect', {
            x: a,
            width: Math.max(1, b - a - 1),
            y: chart.y(rows[row]) - thick / 2,
            height: thick,
            rx: 2,
            class: 'push',
            fill: terse.series(SERIES),
            'fill-opacity': shade(staleness, most),
            'data-tip': `worker ${worker}\npulled at ${format.number(pulled)}, pushed at ${format.number(pushed)}\nstaleness ${staleness}`,
          });
        }
      },
    });
  }

  function histogram(host, counts) {
    const all = counts.reduce((sum, count) => sum + count, 0) || 1;
    const mean = counts.reduce((sum, count, staleness) => sum + count * staleness, 0) / all;
    terse.figure(host, {
      label: 'staleness histogram',
      height: 220,
      caption: `${format.count(all)} pushes with a mean staleness of ${format.number(mean)}.`,
      draw(fig) {
        const chart = fig.axes({
          x: {
            bands: counts.map((_, staleness) => String(staleness)),
            label: 'staleness: updates between pull and push',
          },
          y: {
            domain: terse.extent(
              counts.map((count) => count / all),
              { zero: true },
            ),
            label: 'share of the pushes',
            format: format.percent,
          },
        });
        chart.bars(
          counts.map((count, staleness) => ({
            x: String(staleness),
            value: count / all,
            series: SERIES,
            tip: `staleness ${staleness}: ${format.count(count)} pushes, ${format.percent(count / all)}`,
          })),
        );
      },
    });
  }

  function draw(host, run) {
    host.append(el('h3', {}, 'Staleness'));
    const { histogram: counts, pushes } = run?.staleness ?? {};
    if (!counts?.length && !pushes?.length) {
      terse.absent(
        host,
        'This run has no staleness: only asynchronous workers compute at a model that has changed since.',
        'train --topology async',
      );
      return false;
    }
    if (pushes?.length) timeline(host, pushes);
    if (counts?.length) histogram(host, counts);
    return true;
  }

  terse.report.staleness = { draw };
})((globalThis.terse ??= {}));
