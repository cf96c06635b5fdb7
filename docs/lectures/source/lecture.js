/*
 * The frame of a lecture: six scenes, one at a time, in a stage of 960 × 540 pixels that is scaled to the window.
 *
 *   terse.scene({…})             adds a scene; the scenes are shown in the order of the files
 *   terse.lecture({title, paper})   builds the page; comes after all scenes
 *   a scene is {id, title, lead, columns, command, made, question, answer, notes: [texts], build(stage)}
 *     build appends controls to stage.controls and figures to stage.figures; stage.data is the data of the page
 *     command: the program that made the data, or that shows the same; made: one sentence on where the numbers come from
 *     columns: the widths of the figures, as in grid-template-columns
 *   stage.readout()              a row of large numbers: its set([[value, label], …]) writes them
 *   stage.say(made), stage.command(text), stage.lead(text)   change the sentence above the command, the command, the lead
 *
 * Keys: right, left, Page Down, Page Up, Home, End: scenes; 1 … 6: the i-th scene; a: answer; n: notes; f: full screen.
 * The fragment of the address has the scene, the notes and the controls, so that a slide can link to a view.
 */
(function (terse) {
  'use strict';

  const { el, state } = terse;
  const added = [];

  function readout(host) {
    const node = el('div', { class: 'readout', 'aria-live': 'polite' });
    host.append(node);
    return {
      set(items) {
        node.replaceChildren(
          ...items.map(([value, label, which]) =>
            el(
              'span',
              {},
              el('b', { style: which === undefined ? null : `color: ${terse.series(which)}` }, value),
              label,
            ),
          ),
        );
      },
    };
  }

  // Shows a command, and returns the function that changes it. terse.command copies the text that it was made with.
  function commandLine(host, text) {
    const place = el('div', {});
    host.append(place);
    const set = (next) => {
      place.replaceChildren();
      terse.command(place, next);
    };
    set(text);
    return set;
  }

  function makeScene(scene, data, number) {
    const controls = el('div', { class: 'controls' });
    const figures = el('div', {
      class: 'figures',
      style: `grid-template-columns: ${scene.columns ?? 'minmax(0, 1fr)'}`,
    });
    const heading = el('h2', { tabindex: '-1' }, scene.title);
    const below = el('div', { class: 'below' });
    const lead = el('p', { class: 'lead' }, scene.lead);
    const node = el(
      'section',
      { class: 'scene', id: `scene-${number}`, 'aria-label': scene.title },
      heading,
      lead,
      controls,
      figures,
      below,
    );
    const made = el('p', { class: 'made' }, scene.made);
    below.append(made);
    const command = commandLine(below, scene.command(data));
    const answer = el('p', { class: 'answer' }, scene.answer);
    const button = el('button', { type: 'button', class: 'button', 'aria-expanded': 'false' }, 'answer');
    below.append(el('div', { class: 'question' }, el('p', {}, scene.question), button), answer);
    const notes = el(
      'aside',
      { class: 'notes', 'aria-label': 'speaker’s notes' },
      scene.notes.map((text) => el('p', {}, text)),
    );
    const open = () => {
      button.setAttribute('aria-expanded', String(answer.classList.toggle('open')));
      button.textContent = answer.classList.contains('open') ? 'hide' : 'answer';
    };
    button.addEventListener('click', open);
    const stage = {
      data,
      controls,
      figures,
      readout: (host) => readout(host ?? controls),
      say: (text) => {
        made.textContent = text;
      },
      command,
      lead: (text) => {
        lead.textContent = text;
      },
    };
    return { node, notes, heading, open, build: () => scene.build(stage) };
  }

  function makeBar(lecture, go, toggleNotes) {
    const dots = el(
      'div',
      { class: 'dots', role: 'group', 'aria-label': 'scenes' },
      lecture.scenes.map((scene, i) =>
        el('button', {
          type: 'button',
          'aria-label': `scene ${i + 1}: ${scene.title}`,
          'data-tip': scene.title,
          onclick: () => go(i),
        }),
      ),
    );
    const back = el('button', { type: 'button', class: 'button', 'aria-label': 'previous scene' }, '←');
    const next = el('button', { type: 'button', class: 'button', 'aria-label': 'next scene' }, '→');
    const notes = el('button', { type: 'button', class: 'button wide', title: 'key n' }, 'notes');
    const full = el('button', { type: 'button', class: 'button wide', title: 'key f' }, 'full screen');
    notes.addEventListener('click', toggleNotes);
    full.addEventListener('click', fullScreen);
    const bar = el(
      'div',
      { class: 'foot' },
      el('span', { class: 'name' }, `${lecture.title} · ${lecture.paper}`),
      dots,
      back,
      next,
      notes,
      full,
    );
    terse.themeToggle(bar);
    return { bar, dots, back, next };
  }

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => {});
  }

  // Scales the stage to the window, without the bar of 34 pixels and the notes, if they are shown.
  function fit() {
    const notes = document.querySelector('.with-notes .notes.now');
    const taken = 34 + (notes ? notes.offsetHeight : 0);
    const style = document.documentElement.style;
    style.setProperty('--scale', Math.min(innerWidth / 960, (innerHeight - taken) / 540).toFixed(4));
    style.setProperty('--taken', `${taken}px`);
  }

  // A slider that was used by mouse gives the arrow keys back to the scenes.
  function releaseFocus() {
    document.addEventListener('pointerup', (event) => {
      if (event.target.closest?.('input[type="range"], .segments, .check'))
        setTimeout(() => document.activeElement?.blur(), 0);
    });
  }

  // Shows the scenes one at a time, and the notes. `scenes` are those of makeScene.
  function makeDeck(options, scenes) {
    const deck = { now: 0, scenes };
    const frame = makeBar(
      options,
      (i) => deck.go(i),
      () => deck.toggleNotes(),
    );
    deck.bar = frame.bar;
    deck.show = (i, focus) => {
      deck.now = Math.max(0, Math.min(scenes.length - 1, i));
      scenes.forEach((scene, k) => {
        scene.node.classList.toggle('now', k === deck.now);
        scene.notes.classList.toggle('now', k === deck.now);
        frame.dots.children[k].setAttribute('aria-current', String(k === deck.now));
      });
      frame.back.disabled = deck.now === 0;
      frame.next.disabled = deck.now === scenes.length - 1;
      if (focus) scenes[deck.now].heading.focus({ preventScroll: true });
      fit();
    };
    deck.go = (i) => {
      deck.show(i, true);
      state.set('scene', deck.now + 1);
    };
    deck.showNotes = (shown) => {
      document.body.classList.toggle('with-notes', shown);
      fit();
    };
    deck.toggleNotes = () => {
      const shown = !document.body.classList.contains('with-notes');
      deck.showNotes(shown);
      state.set('notes', shown ? 1 : null);
    };
    frame.back.addEventListener('click', () => deck.go(deck.now - 1));
    frame.next.addEventListener('click', () => deck.go(deck.now + 1));
    return deck;
  }

  function listen(deck) {
    const steps = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
    const table = Object.fromEntries(Object.entries(steps).map(([key, by]) => [key, () => deck.go(deck.now + by)]));
    deck.scenes.forEach((_, i) => {
      table[i + 1] = () => deck.go(i);
    });
    table.Home = () => deck.go(0);
    table.End = () => deck.go(deck.scenes.length - 1);
    terse.keys({ ...table, a: () => deck.scenes[deck.now].open(), n: deck.toggleNotes, f: fullScreen });
    state.on('scene', () => deck.show(state.number('scene', 1) - 1, true));
    state.on('notes', (text) => deck.showNotes(text === '1'));
    addEventListener('resize', fit);
    releaseFocus();
  }

  // On screen notes are children of the body, because a scaled stage would move what is fixed in it; in print each
  // follows its scene.
  function lecture(options) {
    options = { ...options, scenes: added };
    const data = JSON.parse(document.getElementById('data').textContent);
    const scenes = options.scenes.map((scene, i) => makeScene(scene, data, i + 1));
    const deck = makeDeck(options, scenes);
    const notesToBody = () => document.body.append(...scenes.map((scene) => scene.notes));
    document.body.classList.add('lecture');
    document.body.append(
      el(
        'main',
        { class: 'stage' },
        scenes.map((scene) => scene.node),
      ),
      deck.bar,
    );
    notesToBody();
    addEventListener('beforeprint', () => scenes.forEach((scene) => scene.node.after(scene.notes)));
    addEventListener('afterprint', notesToBody);
    fit();
    scenes.forEach((scene) => scene.build());
    listen(deck);
    deck.show(state.number('scene', 1) - 1, false);
    deck.showNotes(state.get('notes') === '1');
  }

  terse.scene = (scene) => added.push(scene);
  terse.lecture = lecture;
})((globalThis.terse ??= {}));
