/*
 * Section 4, votes: how clear the majority is. The margin of a coordinate is |votes for plus - votes for minus|.
 */
(function (terse) {
  'use strict';

  const { el, format } = terse;

  function draw(host, line) {
    host.append(el('h3', {}, 'Margins of the vote'));
    const margins = line?.margins;
    if (!margins?.length) {
      terse.absent(
        host,
        line ? 'The method of this run does not vote.' : 'This run has no margins of votes.',
        line ? null : 'train --measure health',
      );
      return false;
    }
    const all = margins.reduce((sum, count) => sum + count, 0) || 1;
    // With W workers a margin has the parity of W, so every other one cannot occur.
    const workers = margins.length - 1;
    const possible = margins
      .map((count, margin) => ({ margin, count }))
      .filter(({ margin, count }) => count > 0 || (workers - margin) % 2 === 0);
    terse.figure(host, {
      label: `margins at step ${line.step}`,
      height: 240,
      caption: `Step ${line.step}, ${format.count(all)} coordinates. ${typeof line.ties === 'number' ? `${format.percent(line.ties)} are ties, which a random bit decides.` : ''}`,
      draw(fig) {
        const chart = fig.axes({
          x: { bands: possible.map(({ margin }) => String(margin)), label: '|votes for plus − votes for minus|' },
          y: {
            domain: terse.extent(
              possible.map(({ count }) => count / all),
              { zero: true, pad: 0.12 },
            ),
            label: 'share of the coordinates',
            format: format.percent,
          },
        });
        chart.bars(
          possible.map(({ margin, count }) => ({
            x: String(margin),
            value: count / all,
            series: margin === 0 ? 1 : 0,
            tip: `margin ${margin}: ${format.count(count)} coordinates, ${format.percent(count / all)}`,
          })),
        );
        possible.forEach(({ margin, count }) =>
          chart.text(String(margin), count / all, format.percent(count / all), { anchor: 'middle', dy: -5 }),
        );
      },
    });
    return true;
  }

  terse.report.votes = { draw };
})((globalThis.terse ??= {}));
