/*
 * Reads the data and draws the sections. What is missing or broken is named on the page; it never leaves it blank.
 */
(function (terse) {
  'use strict';

  const { el, report } = terse;
  const FORMAT = 1;
  const FIRST_NOTES = 3;

  // {data} or {error: text}
  function readData() {
    const text = document.getElementById('data').textContent;
    if (text.trim() === '{{' + 'data}}')
      return { error: 'This page has no data yet. The program report fills them in: report RUN… --out page.html' };
    let data;
    try {
      data = JSON.parse(text);
    } catch (error) {
      return { error: `The data of this page cannot be read: ${error.message}. Make the page again with report.` };
    }
    if (typeof data?.format !== 'number')
      return { error: 'The data of this page have no format number. Make the page again with report.' };
    if (data.format > FORMAT)
      return { error: `The data of this page have format ${data.format}, which is newer than this page's, ${FORMAT}.` };
    if (!Array.isArray(data.runs) || data.runs.length === 0) return { error: 'The data of this page have no runs.' };
    return { data };
  }

  function titleOf({ runs }) {
    const shared = (key) => [...new Set(runs.map((run) => run.config?.[key]))];
    const text = (key) => {
      const all = shared(key);
      return all.length === 1 && all[0] ? all[0] : null;
    };
    const what = [text('model'), text('data')].filter(Boolean).join(' on ');
    return runs.length === 1
      ? [runs[0].label, what].filter(Boolean).join(': ')
      : `${runs.length} runs${what ? ': ' + what : ''}`;
  }

  // What is missing from runs, in words.
  function gaps(data) {
    const none = (columns, key) => !columns?.[key]?.some?.((value) => typeof value === 'number');
    return data.runs.flatMap((run) => {
      const missing = [none(run.steps, 'step') && 'steps', none(run.evaluations, 'score') && 'evaluations'].filter(
        Boolean,
      );
      return missing.length ? [`${run.label} has no ${missing.join(' and no ')}.`] : [];
    });
  }

  // The first notes, and the others folded.
  function showNotes(host, notes) {
    const box = terse.note(host, notes.slice(0, FIRST_NOTES), { warn: true });
    const others = notes.slice(FIRST_NOTES);
    if (others.length === 0) return;
    const text = others.length === 1 ? 'one more note' : `${others.length} more notes`;
    box.append(
      el(
        'details',
        {},
        el('summary', {}, text),
        el(
          'ul',
          {},
          others.map((note) => el('li', {}, note)),
        ),
      ),
    );
  }

  function frameOf(section) {
    return el(
      'section',
      { class: 'part', id: section.id, 'data-title': section.title, 'aria-labelledby': section.id + '-title' },
      el('h2', { id: section.id + '-title' }, section.title),
      el('p', { class: 'lead' }, section.lead),
    );
  }

  function drawSection(section, data, part) {
    try {
      section.draw(part, data);
    } catch (error) {
      terse.note(part, `This section cannot be drawn from the data: ${error.message}.`, { warn: true });
      console.warn(error);
    }
  }

  // Draws the first section at once, and every other in a task of its own, so that the page of many runs appears early.
  // A link to a place on the page and a printer need all of them at once. terse.drawn is resolved when all are there;
  // terse.drawnAt has the times of the first and of the last, in milliseconds since the page was asked for.
  function drawSections(data, parts) {
    const waiting = report.sections.map((section, i) => () => drawSection(section, data, parts[i]));
    const drawAll = () => { while (waiting.length) waiting.shift()(); };
    waiting.shift()();
    terse.drawnAt = [performance.now()];
    if (location.hash) drawAll();
    window.addEventListener('beforeprint', drawAll);
    terse.drawn = new Promise((resolve) => {
      const next = () => {
        if (waiting.length === 0) return resolve(terse.drawnAt.push(performance.now()));
        waiting.shift()();
        setTimeout(next);
      };
      requestAnimationFrame(() => setTimeout(next));
    });
  }

  function main() {
    terse.themeToggle(document.querySelector('.top'));
    const host = document.querySelector('main');
    const { data, error } = readData();
    if (error) {
      terse.note(host, error, { warn: true });
      return;
    }
    data.runs.forEach((run, i) => {
      run.label ??= run.name ?? `run ${i + 1}`;
    });
    document.title = `${titleOf(data)} – tersegrad`;
    document.querySelector('h1').textContent = titleOf(data);
    document.getElementById('made').textContent = data.made_by ? `made by ${data.made_by}` : '';
    const notes = [...(data.notes ?? []), ...gaps(data)];
    if (notes.length) showNotes(host, notes);
    const parts = report.sections.map(frameOf);
    host.append(...parts);
    drawSections(data, parts);
    terse.sections(document.querySelector('nav.sections'), parts);
  }

  main();
})((globalThis.terse ??= {}));
