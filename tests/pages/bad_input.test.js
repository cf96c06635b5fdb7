// Data with gaps: the page says what is missing and draws the rest.
'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { launch, open, readFrozen, reportOf } = require('./support.js');

let browser;
test.before(async () => {
  browser = await launch();
});
test.after(() => browser.close());

let number = 0;

// Opens a page with the frozen data after `change`, and returns its text. Nothing may be thrown.
async function textWith(change, fragment = '') {
  const data = readFrozen();
  const page = await open(browser, reportOf(`bad-${++number}`, change(data) ?? data), { fragment });
  const text = await page.innerText('body');
  assert.deepEqual(page.problems, []);
  assert.doesNotMatch(
    text,
    /NaN|undefined|Infinity|\[object|cannot be drawn/,
    text.match(/.{40}(NaN|undefined|Infinity|\[object|cannot be drawn).{60}/s)?.[0],
  );
  return { text, page };
}

const withRuns = (change) => (data) => {
  data.runs.forEach(change);
};

test('no evaluations', async () => {
  const { text } = await textWith(
    withRuns((run) => {
      run.evaluations = Object.fromEntries(Object.keys(run.evaluations).map((key) => [key, []]));
    }),
  );
  assert.match(text, /has no evaluations/);
  assert.match(text, /no score to reach.*--eval-every/s);
});

test('no steps', async () => {
  const { text } = await textWith(
    withRuns((run) => {
      run.steps = { step: [], epoch: [], loss: [], lr: [], bytes: [], wall: [], virtual: null };
    }),
  );
  assert.match(text, /has no steps/);
  assert.match(text, /No run has steps/);
});

test('neither: a run without a log', async () => {
  const { text } = await textWith((data) => {
    data.runs = [
      { name: 'runs/x', label: 'x', command: 'train', config: {}, metric: 'accuracy', workers: 4, topology: 'ring' },
    ];
    data.differences = [];
    data.notes = ['runs/x: log.jsonl is missing'];
  });
  assert.match(text, /log\.jsonl is missing/);
  assert.match(text, /x has no steps and no evaluations/);
});

test('no health: controls are off and name the flag', async () => {
  const { text, page } = await textWith(
    withRuns((run) => {
      run.health = [];
      run.staleness = null;
      run.packets = [];
    }),
  );
  assert.match(text, /train --measure health/);
  assert.match(text, /train --record steps=/);
  for (const [part, label] of [
    ['methods', 'rank'],
    ['methods', 'ratio'],
    ['health', 'quantity'],
    ['packets', 'run'],
  ]) {
    const control = page.locator(`#${part}`).getByLabel(label).first();
    assert.ok(await control.isDisabled(), `${part} ${label}`);
    assert.match(
      await control.locator('xpath=ancestor::*[contains(@class, "control")][1]').innerText(),
      /recorded by train --/,
    );
  }
});

test('no modelled time: the choice is off and names the flag', async () => {
  const { text, page } = await textWith(
    withRuns((run) => {
      run.steps.virtual = null;
      run.evaluations.virtual = null;
      run.virtual_times = null;
    }),
    '#progress.axis=virtual',
  );
  assert.ok(await page.locator('#progress').getByRole('radio', { name: 'modelled time' }).isDisabled());
  assert.ok(await page.locator('#progress').getByRole('radio', { name: 'steps' }).isChecked());
  assert.match(text, /modelled time: recorded by train --network/);
});

test('runs with different metrics', async () => {
  const { text, page } = await textWith((data) => {
    data.runs[1].metric = 'perplexity';
    data.runs[1].evaluations.score = data.runs[1].evaluations.score.map((score) => 300 - score);
  });
  assert.equal(await page.locator('#progress .curves').count(), 3);
  assert.match(text, /test perplexity/);
  assert.match(text, /Not compared, because they have another metric/);
});

test('runs evaluated on different splits', async () => {
  const { text, page } = await textWith((data) => {
    data.runs[1].split = 'valid';
  });
  assert.equal(await page.locator('#progress .curves').count(), 3);
  assert.match(text, /test accuracy, %/);
  assert.match(text, /validation accuracy, %/);
  assert.match(text, /Not compared, because they have another metric, another split/);
});

test('NaN as null: curves have gaps, tables a dash', async () => {
  const { page } = await textWith(
    withRuns((run) => {
      run.steps.loss = run.steps.loss.map((loss, i) => (i > 100 ? null : loss));
      run.evaluations.score = run.evaluations.score.map(() => null);
      run.evaluations.test_loss = run.evaluations.test_loss.map(() => null);
      (run.health ?? []).forEach((line) =>
        line.health.tensors.forEach((tensor) => {
          Object.assign(tensor, {
            gradient_norm: null,
            contraction: null,
            cosine: null,
            energy: null,
            stable_rank: null,
            singular_values: null,
          });
          tensor.topk_mass = tensor.topk_mass.map(() => null);
        }),
      );
    }),
  );
  assert.match(await page.locator('table.results tbody tr').first().innerText(), /–/);
});

test('exchange, times and bytes are null', async () => {
  const { text } = await textWith(
    withRuns((run) => {
      Object.assign(run, { exchange: null, times: null, virtual_times: null, bytes: null });
    }),
  );
  assert.match(text, /is not shown: its exchange was not recorded/);
  assert.match(text, /No run has recorded the time of its steps/);
});

test('a single run has no table of differences', async () => {
  const { text } = await textWith((data) => {
    data.runs = [data.runs[1]];
    data.differences = [];
  });
  assert.doesNotMatch(text, /What differs/);
});

test('texts with markup are texts', async () => {
  const { text, page } = await textWith((data) => {
    data.runs[0].label = '<img src=x onerror=alert(1)></script>';
    data.notes = ['<b>note</b>'];
  });
  assert.match(text, /<img src=x/);
  assert.equal(await page.locator('main img').count(), 0);
});

for (const [name, data, expected] of [
  ['cut data', '{"format":1,"runs":[', /cannot be read/],
  ['data of a newer version', '{"format":2,"runs":[]}', /format 2, which is newer/],
  ['no runs', '{"format":1,"runs":[]}', /have no runs/],
  ['no format', '{}', /no format number/],
]) {
  test(name, async () => {
    const page = await open(browser, reportOf(`bad-${++number}`, data));
    assert.match(await page.innerText('main'), expected);
    assert.deepEqual(page.problems, []);
  });
}
