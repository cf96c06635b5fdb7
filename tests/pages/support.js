// What the browser tests share: assembled pages, and a browser in which every problem and request is noted.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const root = path.join(__dirname, '../..');
const output = path.join(root, 'build/pages');
const frozen = path.join(__dirname, 'data/report.json');

// Runs pages/assemble.cmake and returns the path of the result.
function assemble(name, { template = path.join(root, 'pages/report/page.html'), data } = {}) {
  fs.mkdirSync(output, { recursive: true });
  const out = path.join(output, name);
  const args = [`-DTEMPLATE=${template}`, `-DOUT=${out}`, '-P', path.join(root, 'pages/assemble.cmake')];
  execFileSync('cmake', data ? [`-DDATA=${data}`, ...args] : args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return out;
}

// A report page with these data.
function reportOf(name, data) {
  fs.mkdirSync(output, { recursive: true });
  const file = path.join(output, `${name}.json`);
  fs.writeFileSync(file, typeof data === 'string' ? data : JSON.stringify(data));
  return assemble(`${name}.html`, { data: file });
}

const readFrozen = () => JSON.parse(fs.readFileSync(frozen, 'utf8'));

function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
}

// Opens a file in a page of its own. page.problems lists console errors, exceptions and requests, which must stay empty.
async function open(browser, file, { width = 1280, height = 800, colorScheme = 'light', fragment = '' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.problems = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) page.problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => page.problems.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const address = request.url();
    if (!address.startsWith('data:') && address.split('#')[0] !== page.address)
      page.problems.push(`request: ${address}`);
  });
  page.address = pathToFileURL(file).href;
  await page.route('**/*', (route) => (/^(file|data):/.test(route.request().url()) ? route.continue() : route.abort()));
  await page.goto(page.address + fragment);
  await page.evaluate(() => globalThis.terse?.drawn);
  await settle(page);
  return page;
}

// Waits until what was requested for the next frames has been drawn.
const settle = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 30)));
      }),
  );

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

// Moves a range input to a position, as a user does.
async function slide(page, label, position) {
  await page
    .locator('.slider')
    .getByLabel(label)
    .first()
    .evaluate((input, value) => {
      input.value = value;
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }, String(position));
  await settle(page);
}

module.exports = { root, output, assemble, reportOf, readFrozen, launch, open, settle, overflow, slide };
