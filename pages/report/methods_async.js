/*
 * Section 4, asynchronous runs: what each worker computed when, how stale its gradients were, and how often.
 */
(function (terse) {
  'use strict';

  const { el, format } = terse;

  const SERIES = 1;
  const MOST_WORKERS = 24;
  const shade = (staleness, most) => 0.12 + 0.88 * (most > 0 ? Math.min(1, staleness / most) : 0);

  function shadeLegend(host, most, largest) {
    const scale = [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * most)))];
    const label = (staleness) => {
      if (staleness === 0) return 'fresh';
      return `staleness ${staleness}${staleness === most && largest > most ? ' or more' : ''}`;
    };
    terse.legend(
      host,
      scale.map((staleness) => ({
        label: label(staleness), series: SERIES, opacity: shade(staleness, most), mark: 'box',
      })),
    );
  }

  // Draws the pushes of the time [from, to]; `workers` are those with a row.
  function drawPushes(fig, pushes, { workers, from, to, most }) {
    const rows = workers.map((worker) => `worker ${worker}`);
    const chart = fig.axes({ x: { domain: [from, to], label: 'time' }, y: { bands: rows }, top: 4 });
    const thick = (chart.bottom - chart.top) / rows.length - 4;
    for (const [worker, pulled, pushed, staleness] of pushes) {
      const row = workers.indexOf(worker);
      if (row < 0 || pushed < from || pulled > to) continue;
      const [a, b] = [Math.max(chart.left, chart.x(pulled)), Math.min(chart.right, chart.x(pushed))];
      const times = `pulled at ${format.number(pulled)}, pushed at ${format.number(pushed)}`;
      chart.put('rect', {
        x: a, width: Math.max(1, b - a - 1), y: chart.y(rows[row]) - thick / 2, height: thick, rx: 2, class: 'push',
        fill: terse.series(SERIES), 'fill-opacity': shade(staleness, most),
        'data-tip': `worker ${worker}\n${times}\nstaleness ${staleness}`,
      });
    }
  }

  function timeline(host, pushes) {
    const all = [...new Set(pushes.map(([worker]) => worker))].sort((a, b) => a - b);
    const workers = all.slice(0, MOST_WORKERS);
    // The full colour begins at the 95th percentile, so that one late push does not make all others pale.
    const sorted = pushes.map(([, , , staleness]) => staleness).sort((a, b) => a - b);
    const most = sorted[Math.floor(0.95 * (sorted.length - 1))];
    const end = Math.max(...pushes.map(([, , pushed]) => pushed));
    const window = end / Math.max(1, pushes.length / all.length / 8);
    const controls = el('div', { class: 'controls' });
    host.append(controls);
    const first = terse.slider(controls, {
      label: 'from', key: 'methods.from', min: 0, max: Math.max(0, Number((end - window).toPrecision(6))), value: 0,
      step: end / 200, format: (time) => format.number(time), change: () => view.redraw(),
    });
    shadeLegend(host, most, sorted.at(-1));
    const hidden = all.length > workers.length ? ` The first ${workers.length} of ${all.length} workers are shown.` : '';
    const view = terse.figure(host, {
      label: 'timeline of the workers', height: workers.length * 22 + 56,
      caption: 'Each bar lasts from the pull of a model to the push of its gradient. Its colour is the staleness: the '
        + `updates of the server in between.${hidden}`,
      draw: (fig) => drawPushes(fig, pushes, { workers, from: first.value, to: first.value + window, most }),
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
