// Fifty runs of 10^5 steps, decimated to the points that report keeps: the page stays under 5 MB. The times to draw it are
// printed.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const { launch, open, overflow, readFrozen, reportOf } = require('./support.js');

const POINTS = 800;

// Every run keeps other steps, as decimation that keeps extremes does.
function longRun(base, i) {
  const step = Array.from({ length: POINTS }, (_, k) => Math.min(100000, k * 125 + 1 + ((k * 37 + i * 11) % 125)));
  const loss = step.map((s, k) =>
    Number((0.2 + 2 * Math.exp(-s / (8000 + 500 * i)) + 0.1 * Math.sin(k * (i + 1))).toPrecision(4)),
  );
  const times = (factor) => step.map((s) => Number((s * factor).toPrecision(6)));
  return {
    ...base,
    name: `runs/${i}`,
    label: `run ${i}`,
    health: [],
    packets: [],
    steps: {
      step,
      epoch: times(0.002),
      loss,
      lr: step.map(() => 0.05),
      bytes: times(9000 + 100 * i),
      wall: times(0.004),
      virtual: times(0.006),
    },
  };
}

test('fifty runs stay small, keep their extremes, and show the first section before the others', async () => {
  const data = readFrozen();
  data.runs = Array.from({ length: 50 }, (_, i) => longRun(data.runs[i % 4], i));
  data.differences = data.differences.map(({ key }) => ({
    key,
    values: data.runs.map((run) => run.config[key] ?? null),
  }));
  const file = reportOf('fifty', data);
  const size = fs.statSync(file).size;
  assert.ok(size < 5e6, `${size} bytes`);
  const browser = await launch();
  try {
    // Two seconds are expected. They are printed, not asserted: other programs on the machine take their share of it.
    const seconds = [];
    let page;
    for (let i = 0; i < 3; ++i) {
      await page?.context().close();
      const start = process.hrtime.bigint();
      page = await open(browser, file);
      seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
    }
    const [first, all] = await page.evaluate(() => terse.drawnAt.map((at) => at / 1000));
    console.log(
      `page of fifty runs: ${(size / 1e6).toFixed(2)} MB; first section after ${first.toFixed(2)} s, ` +
        `all after ${all.toFixed(2)} s; with a new tab ${seconds.map((t) => t.toFixed(2)).join(', ')} s`,
    );
    assert.ok(first < all);
    await page.locator('#progress').getByRole('radio', { name: 'bytes sent' }).check({ force: true });
    const extremes = await page.evaluate(() =>
      [...window.terse.curveViews]
        .find(({ node }) => node.getAttribute('aria-label').startsWith('training loss'))
        .plot.data.slice(1)
        .map((column) => [Math.min(...column.filter(Number.isFinite)), Math.max(...column.filter(Number.isFinite))]),
    );
    data.runs.forEach((run, i) =>
      assert.deepEqual(extremes[i], [Math.min(...run.steps.loss), Math.max(...run.steps.loss)], run.label),
    );
    assert.ok((await overflow(page)) <= 0);
    assert.deepEqual(page.problems, []);
  } finally {
    await browser.close();
  }
});
