// The page's network model against frozen runs of `train --network … --compute …` (record_network_runs), in Node and in
// the browser.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { assemble, launch, open, root } = require('./support.js');

require(path.join(root, 'pages/report/network_model.js'));
const rows = require('./data/network_runs.json');

const RATES = { bps: 1, Kbps: 1e3, Mbps: 1e6, Gbps: 1e9 };
const TIMES = { s: 1, ms: 1e-3, us: 1e-6 };

function linkOf(text) {
  const [, rate, rateUnit, time, timeUnit] = /^([\d.]+)(\w+),([\d.]+)(\w+)$/.exec(text);
  return { bitsPerSecond: rate * RATES[rateUnit], latency: time * TIMES[timeUnit] };
}

const runOf = (row) => ({ topology: row.topology, workers: row.workers, exchange: row.exchange, config: {} });
const nameOf = (row) =>
  `${row.method}, ${row.topology}, ${row.exchange.all_reduce}, ${row.exchange.servers} servers, ${row.network}, ${row.workers} workers`;
const errorOf = (seconds, row) => Math.abs(seconds / row.seconds - 1);

const { network } = globalThis.terse;

test(`${rows.length} runs: a step takes the modelled time within 2 %`, () => {
  for (const row of rows) {
    const error = errorOf(network.stepSeconds(runOf(row), row.workers, linkOf(row.network), row.compute), row);
    assert.ok(error < 0.02, `${nameOf(row)}: ${(100 * error).toFixed(2)} %`);
  }
});

// The union of sparse packets is estimated from that of four workers; everything else is known.
test('from the run with four workers, other numbers of workers are predicted within 2 %, unions of packets within 3 %', () => {
  const keyOf = (row) => nameOf({ ...row, workers: '' });
  const four = new Map(rows.filter((row) => row.workers === 4).map((row) => [keyOf(row), row]));
  for (const row of rows) {
    const union = row.topology === 'server' && row.exchange.phases[0].kind === 'gather';
    const error = errorOf(
      network.stepSeconds(runOf(four.get(keyOf(row))), row.workers, linkOf(row.network), row.compute),
      row,
    );
    assert.ok(error < (union ? 0.03 : 0.02), `${nameOf(row)}: ${(100 * error).toFixed(2)} %`);
  }
});

test('local SGD exchanges in every H-th step only', () => {
  const row = rows.find((one) => one.method === 'none' && one.topology === 'ring');
  const link = linkOf(row.network);
  const every = network.stepSeconds(runOf(row), 4, link, 0);
  const tenth = network.stepSeconds({ ...runOf(row), config: { local_steps: 10 } }, 4, link, 0);
  assert.ok(Math.abs(tenth - every / 10) < 1e-12);
});

test('break-even is the rate at which both steps take equally long', () => {
  const row = rows.find((one) => one.method.startsWith('powersgd') && one.topology === 'ring' && one.workers === 4);
  const run = { ...runOf(row), times: { compute: 5e-3, encode: 1e-3, decode: 5e-4, update: 0 } };
  const plain = network.uncompressed(run);
  const { below } = network.breakEven(run, plain, 4, 20e-6, [1e6, 400e9]);
  const link = { bitsPerSecond: below, latency: 20e-6 };
  assert.ok(Math.abs(network.stepSeconds(run, 4, link) / network.stepSeconds(plain, 4, link) - 1) < 1e-4);
  assert.deepEqual(network.breakEven(plain, run, 4, 20e-6, [1e6, below / 10]), { never: true });
});

test('the browser computes the same', async () => {
  const browser = await launch();
  try {
    const page = await open(browser, assemble('empty.html'));
    const questions = rows.map((row) => ({
      run: runOf(row),
      workers: row.workers,
      link: linkOf(row.network),
      local: row.compute,
    }));
    const found = await page.evaluate(
      (all) => all.map(({ run, workers, link, local }) => window.terse.network.stepSeconds(run, workers, link, local)),
      questions,
    );
    rows.forEach((row, i) => assert.ok(errorOf(found[i], row) < 0.02, nameOf(row)));
    assert.deepEqual(page.problems, []);
  } finally {
    await browser.close();
  }
});
