// The report's page in a browser, on frozen data of five runs.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const { assemble, launch, open, overflow, readFrozen, reportOf, settle, slide } = require('./support.js');

let browser;
let file;
const pages = [];
test.before(async () => {
  browser = await launch();
  file = reportOf('report', readFrozen());
});
test.after(() => browser.close());

// Every test gets a page of its own, and no page may have had a problem.
const on = (name, options, body) =>
  test(name, async () => {
    const page = await open(browser, file, options);
    pages.push(page);
    await body(page);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });

// What uPlot shows: the curves' data and the labels of their series.
const curves = (page, id) =>
  page.evaluate(
    (part) =>
      [...window.terse.curveViews]
        .filter(({ node }) => node.closest('#' + part))
        .map(({ plot }) => ({
          xs: [...plot.data[0]],
          labels: plot.series.slice(1).map(({ label }) => label),
          shown: plot.series.slice(1).map(({ show }) => show),
        })),
    id,
  );
const texts = (page, selector) => page.locator(selector).allInnerTexts();
const count = (page, selector) => page.locator(selector).count();

test('the page without data has at most 200 KB and says what to do', async () => {
  const empty = assemble('empty.html');
  assert.ok(fs.statSync(empty).size <= 200000, `${fs.statSync(empty).size} bytes`);
  const page = await open(browser, empty);
  assert.match(await page.innerText('main'), /has no data yet.*report RUN/s);
  assert.deepEqual(page.problems, []);
});

on('six sections have their figures, a sentence and a command each', {}, async (page) => {
  assert.equal(await count(page, 'section.part'), 6);
  assert.equal(await count(page, 'section.part .lead'), 6);
  assert.equal(await count(page, 'section.part > div > .command'), 6);
  const figures = await page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('section.part')].map((part) => [part.id, part.querySelectorAll('.figure').length]),
    ),
  );
  assert.deepEqual(figures, { progress: 2, costs: 3, network: 2, methods: 3, health: 1, packets: 0 });
  assert.equal(await count(page, 'table.results tbody tr'), 5);
  assert.ok((await count(page, '#packets .byte')) > 32);
  const marks = await page.evaluate(() =>
    [...document.querySelectorAll('.figure svg')].map((svg) => svg.querySelectorAll('.bar, .series, .cell').length),
  );
  assert.ok(
    marks.every((n) => n > 0),
    `marks per figure: ${marks}`,
  );
});

on('the axis switch changes the curves', {}, async (page) => {
  const steps = (await curves(page, 'progress'))[0];
  for (const [label, unit] of [
    ['bytes sent', 1e6],
    ['wall time', 0.1],
    ['epochs', 1],
    ['modelled time', 0.1],
  ]) {
    await page.locator('#progress').getByRole('radio', { name: label }).check({ force: true });
    const now = (await curves(page, 'progress'))[0];
    assert.notDeepEqual(now.xs, steps.xs, label);
    assert.ok(Math.max(...now.xs) > unit, label);
  }
  await page.getByLabel('logarithmic').check();
  assert.ok((await curves(page, 'progress'))[1].xs[0] > 0);
});

on('a run can be switched off', {}, async (page) => {
  await page.locator('#progress .legend button').nth(1).click();
  for (const view of await curves(page, 'progress')) assert.deepEqual(view.shown, [true, false, true, true, true]);
  assert.match(page.url(), /progress\.hidden=1/);
});

on('configurations that differ are bold', {}, async (page) => {
  const keys = await texts(page, 'table.differences tbody th');
  assert.ok(keys.includes('compressor') && keys.includes('topology'));
  const values = await texts(page, 'table.differences tbody tr:first-child td b');
  assert.equal(values.length, 5);
  assert.match(values[1], /^powersgd:rank=2/);
});

on('time and bytes can be shown as shares, and modelled times', {}, async (page) => {
  const widths = () =>
    page.$$eval('#costs .figure:first-of-type .bar', (bars) => bars.map((bar) => bar.getAttribute('width')));
  const before = await widths();
  await page.locator('#costs').getByRole('radio', { name: 'shares' }).check({ force: true });
  const shares = await widths();
  assert.notDeepEqual(shares, before);
  await page.locator('#costs').getByRole('radio', { name: 'modelled' }).check({ force: true });
  assert.notDeepEqual(await widths(), shares);
  assert.match(await page.innerText('#costs'), /Time of a step in the modelled network/);
});

on('bytes by tensor follow the chosen run', {}, async (page) => {
  const notes = () => page.locator('#costs .figure').last().locator('text.value').allTextContents();
  const before = await notes();
  await page.locator('#costs select').selectOption('2');
  const after = await notes();
  assert.notDeepEqual(after, before);
  assert.ok(
    after.some((text) => /7\.weight/.test(text)) && after.some((text) => /0\.64 bit/.test(text)),
    after.join('; '),
  );
});

on('every slider of the network changes the times', {}, async (page) => {
  const notes = () => page.locator('#network .figure').first().locator('text.value').allTextContents();
  for (const [label, position] of [
    ['bandwidth', 20],
    ['latency', 180],
    ['workers', 12],
    ['test accuracy to reach', 50],
  ]) {
    const before = await notes();
    await slide(page, label, position);
    assert.notDeepEqual(await notes(), before, label);
  }
  assert.match(await page.innerText('#network'), /Break-even/);
  assert.match(await page.innerText('#network'), /none async.* is not shown/);
});

on(
  'the rank slider changes energy and bytes, and nothing about accuracy',
  { fragment: '#methods.run=1' },
  async (page) => {
    const answer = () => page.locator('#methods .answer').first().innerText();
    assert.match(await answer(), /^Rank 2 keeps at most .* of \|X\|² and sends 4\.16\u202fKB instead of 192\u202fKB/);
    await slide(page, 'rank', 8);
    assert.match(await answer(), /^Rank 8 .* sends 16\.6\u202fKB/);
    assert.doesNotMatch(await page.locator('#methods').innerText(), /accuracy/i);
    await page.locator('#methods').getByLabel('tensor').first().selectOption('3.weight');
    assert.match(await answer(), /instead of 9\.6\u202fKB/);
  },
);

on('the ratio slider changes mass and bytes', { fragment: '#methods.run=2' }, async (page) => {
  const answer = () => page.locator('#methods .answer', { hasText: 'largest' }).innerText();
  assert.match(await answer(), /617 of 61\u202f706 values.*take 4\.94\u202fKB/s);
  await slide(page, 'ratio', 150);
  assert.doesNotMatch(await answer(), /617 of/);
  assert.equal(await count(page, '#methods .cell'), 6 * 64);
});

on('votes have margins, by recorded step', { fragment: '#methods.run=3' }, async (page) => {
  const shares = () => page.locator('#methods .figure svg[aria-label^="margins"] .value').allTextContents();
  const before = await shares();
  assert.equal(before.length, 3);
  await page.locator('#methods').getByRole('button', { name: 'previous' }).click();
  assert.notDeepEqual(await shares(), before);
});

on('asynchronous workers have a timeline and a histogram', { fragment: '#methods.run=4' }, async (page) => {
  const places = () => page.$$eval('#methods .push', (bars) => bars.map((bar) => bar.getAttribute('x')));
  const before = await places();
  assert.ok(before.length >= 30, `${before.length} pushes`);
  await slide(page, 'from', 5);
  assert.notDeepEqual(await places(), before);
  assert.equal(await count(page, '#methods svg[aria-label="staleness histogram"]'), 1);
});

on('health follows quantity and run; the whole model is thick', {}, async (page) => {
  const health = page.locator('#health');
  const widths = () =>
    page.evaluate(() =>
      [...window.terse.curveViews]
        .find(({ node }) => node.closest('#health'))
        .plot.series.slice(1)
        .map(({ width }) => width),
    );
  assert.equal((await curves(page, 'health'))[0].labels.length, 11);
  assert.equal((await curves(page, 'health'))[0].labels.at(-1), 'whole model');
  assert.ok((await widths()).at(-1) > 2 * (await widths())[0]);
  await health.getByLabel('quantity').selectOption('stable_rank');
  assert.equal((await curves(page, 'health'))[0].labels.length, 5);
  await health.getByLabel('quantity').selectOption('contraction');
  await health.getByLabel('run').selectOption('2');
  assert.ok((await curves(page, 'health'))[0].labels.includes('declared'));
  await health.getByLabel('run').selectOption('all');
  assert.equal((await curves(page, 'health'))[0].labels.length, 3);
});

on('a packet shows bytes, bits and values on hover and on focus', { fragment: '#packets.run=2' }, async (page) => {
  const detail = () => page.innerText('#packets .detail');
  assert.match(await detail(), /coordinates/);
  await page.locator('#packets .byte').nth(8).hover();
  assert.match(
    await detail(),
    /^step\s+offset\s+8\s+size\s+4\u202fB\s+bytes\s+14 00 00 00\s+bits\s+00010100 00000000 00000000 00000000\s+value\s+20/,
  );
  await page.locator('#packets .fields button', { hasText: 'magic' }).focus();
  assert.match(await detail(), /54 53 47 01[\s\S]*TSG 1/);
  assert.equal(await count(page, '#packets .byte.on'), 4);
  const before = await page.locator('#packets .byte').allInnerTexts();
  await page.locator('#packets').getByLabel('packet').selectOption('1');
  assert.notDeepEqual(await page.locator('#packets .byte').allInnerTexts(), before);
  await page.getByRole('button', { name: /show all/ }).click();
  assert.ok((await count(page, '#packets .byte')) > before.length);
});

on(
  'state survives a reload and links to a view',
  {
    fragment:
      '#progress.axis=bytes&costs.run=2&network.rate=1e8&methods.run=1&methods.rank=5&theme=dark&health.quantity=cosine&packets.run=3',
  },
  async (page) => {
    const read = async () => ({
      axis: await page.locator('#progress').getByRole('radio', { name: 'bytes sent' }).isChecked(),
      run: await page.locator('#costs select').inputValue(),
      rate: await page.locator('#network output').first().innerText(),
      rank: await page
        .locator('#methods .slider')
        .getByLabel('rank')
        .evaluate((input) => input.value),
      theme: await page.evaluate(() => document.documentElement.dataset.theme),
      quantity: await page.locator('#health').getByLabel('quantity').inputValue(),
      packets: await page.locator('#packets').getByLabel('run').inputValue(),
    });
    const expected = {
      axis: true,
      run: '2',
      rate: '100\u202fMbit/s',
      rank: '5',
      theme: 'dark',
      quantity: 'cosine',
      packets: '3',
    };
    assert.deepEqual(await read(), expected);
    await slide(page, 'rank', 3);
    await page.locator('#costs select').selectOption('1');
    await page.reload();
    await settle(page);
    assert.deepEqual(await read(), { ...expected, rank: '3', run: '1' });
    await page.evaluate(() => {
      location.hash = '#costs.run=3';
    });
    await settle(page);
    assert.equal((await read()).run, '3');
    assert.equal((await read()).theme, undefined);
  },
);

on(
  'a fragment with nonsense is ignored',
  {
    fragment:
      '#progress.axis=moon&methods.rank=abc&network.rate=-5&costs.run=99&%E0%A4%A=1&at=nowhere&network.workers=',
  },
  async (page) => {
    assert.ok(await page.locator('#progress').getByRole('radio', { name: 'steps' }).isChecked());
    assert.equal(await count(page, 'section.part'), 6);
  },
);

on('keys move through the sections, and controls work by keyboard', {}, async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.id);
  for (const [key, id] of [
    ['n', 'costs'],
    ['n', 'network'],
    ['p', 'costs'],
    ['6', 'packets'],
    ['1', 'progress'],
  ]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), `${id}-title`, key);
  }
  assert.match(page.url(), /at=progress/);
  await page.locator('#progress').getByRole('radio', { name: 'steps' }).focus();
  await page.keyboard.press('ArrowRight');
  assert.ok(await page.locator('#progress').getByRole('radio', { name: 'epochs' }).isChecked());
  await page.locator('#network .slider').getByLabel('bandwidth').focus();
  const before = await page.locator('#network output').first().innerText();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await page.locator('#network output').first().innerText(), before);
});

// ---- themes, paper, phone

const contrast = (page) =>
  page.evaluate(() => {
    const probe = document.body.appendChild(document.createElement('i'));
    const luminance = (name) => {
      probe.style.color = `var(${name})`;
      const [r, g, b] = getComputedStyle(probe)
        .color.match(/[\d.]+/g)
        .map((part) => part / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const surface = luminance('--surface');
    const ratio = (name) => (Math.max(luminance(name), surface) + 0.05) / (Math.min(luminance(name), surface) + 0.05);
    return {
      series: [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ratio(`--series-${i}`)),
      ink: ratio('--ink'),
      muted: ratio('--muted'),
      accent: ratio('--accent'),
    };
  });

for (const colorScheme of ['light', 'dark']) {
  on(`colours have contrast: ${colorScheme}`, { colorScheme }, async (page) => {
    const found = await contrast(page);
    for (const [i, ratio] of found.series.entries()) assert.ok(ratio >= 3, `series ${i + 1}: ${ratio.toFixed(2)}`);
    assert.ok(found.ink >= 7 && found.muted >= 4.5 && found.accent >= 4.5, JSON.stringify(found));
  });
}

on('the theme can be switched', {}, async (page) => {
  const surface = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await surface();
  const toggle = page.locator('.top button');
  await toggle.click();
  assert.equal(await surface(), light);
  await toggle.click();
  assert.notEqual(await surface(), light);
  assert.match(page.url(), /theme=dark/);
});

on('paper is light, without navigation', { colorScheme: 'dark' }, async (page) => {
  await page.emulateMedia({ media: 'print' });
  await settle(page);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(255, 255, 255)');
  assert.equal(await page.locator('nav.sections').isVisible(), false);
  assert.ok((await page.pdf({ format: 'A4' })).length > 20000);
});

on('a phone has no horizontal scrolling', { width: 390, height: 844 }, async (page) => {
  assert.ok((await overflow(page)) <= 0, `${await overflow(page)} pixels`);
  const cut = await page.$$eval('svg text', (nodes) =>
    nodes
      .filter((node) => {
        const box = node.getBoundingClientRect();
        return box.width > 0 && (box.left < -1 || box.right > innerWidth + 1);
      })
      .map((node) => node.textContent),
  );
  assert.deepEqual(cut, []);
});
