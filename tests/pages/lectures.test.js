// The committed lectures open without a problem, on a screen and on a phone.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { launch, open, overflow, root } = require('./support.js');

const folder = path.join(root, 'docs/lectures');
const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.html')) : [];

let browser;
test.before(async () => {
  browser = await launch();
});
test.after(() => browser.close());

for (const name of files) {
  for (const options of [{}, { colorScheme: 'dark' }, { width: 390, height: 844 }]) {
    test(`${name} ${options.width ?? 1280} ${options.colorScheme ?? 'light'}`, async () => {
      const page = await open(browser, path.join(folder, name), options);
      assert.ok((await page.innerText('body')).length > 200);
      assert.ok((await overflow(page)) <= 0, `${await overflow(page)} pixels of horizontal scrolling`);
      assert.deepEqual(page.problems, []);
      await page.context().close();
    });
  }
}
