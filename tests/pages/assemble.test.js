// pages/assemble.cmake copies every byte, and refuses what would break a page.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { assemble, output } = require('./support.js');

const folder = path.join(output, 'assemble');
const write = (name, text) => {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
};

// Characters with a meaning for CMake, HTML or JavaScript, and characters of more than one byte.
const HARD = 'a;b [c] [[ ]] ]=] ;; \\; \\n \\\\ ${HOME} @HOME@ $ENV{HOME} "q" \'p\' # ( ) % & é € \u2028 ]]>\n';

test('files and data arrive byte by byte', () => {
  write('hard.js', `const x = 1; // ${HARD}`);
  write('hard.css', `.a { content: "["; } /* ; ] */\n${HARD}`);
  write('hard.txt', HARD);
  const data = { text: `${HARD}</script><!-- <script> {{data}}`, list: [1, [2]] };
  const file = write('data.json', JSON.stringify(data));
  const template = write(
    'template.html',
    `<p>;[</p>\n<!-- include: hard.css -->\n<!-- include: hard.js -->\n<!-- include: hard.txt -->\n<i id="data">{{data}}</i>\n`,
  );
  const text = fs.readFileSync(assemble('assemble/out.html', { template, data: file }), 'utf8');
  const inserted = JSON.stringify(data).replaceAll('<', '\\u003c');
  assert.equal(
    text,
    `<p>;[</p>\n<style>\n.a { content: "["; } /* ; ] */\n${HARD}</style>\n<script>\nconst x = 1; // ${HARD}</script>\n${HARD}\n<i id="data">${inserted}</i>\n`,
  );
  assert.deepEqual(JSON.parse(/id="data">(.*)<\/i>/s.exec(text)[1]), data);
});

test('a head comment is left out, a licence stays', () => {
  write('head.js', '/*\n * For readers of the source.\n */\nlet a; /*\n kept */\n');
  write('licence.js', '/*! licence */\nlet b;\n');
  const template = write('head.html', '<!-- include: head.js --><!-- include: licence.js -->{{data}}');
  const text = fs.readFileSync(assemble('assemble/head.out.html', { template }), 'utf8');
  assert.equal(text, '<script>\nlet a; /*\n kept */\n</script><script>\n/*! licence */\nlet b;\n</script>{{data}}');
});

test('what would break a page is refused', () => {
  write('ends.js', 'const s = "</script>";\n');
  // CMake breaks lines of a message where its length, and hence the folder's, requires it.
  const refuse = (name, text, expected) =>
    assert.throws(
      () => assemble(`assemble/${name}`, { template: write(`${name}.template`, text) }),
      (error) => expected.test(error.message.replace(/\s+/g, ' ')),
    );
  refuse('missing', '<!-- include: none.js -->{{data}}', /none\.js does not exist/);
  refuse('ends', '<!-- include: ends.js -->{{data}}', /would end the element/);
  refuse('no-data', '<p></p>', /must stand once/);
  refuse('twice', '{{data}}{{data}}', /must stand once/);
});
