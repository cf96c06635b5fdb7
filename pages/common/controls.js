/*
 * Controls for the report and the lectures: labelled, usable by keyboard, with their state in the fragment.
 *
 * Every function appends one control to `host` and returns {node, value, set(value), disable(reason), enable()}.
 * `key` names the state in the fragment; null keeps none. `value` is the start value, which the fragment overrides.
 * `change(value)` is called after the user, or a link, has changed it; it is not called at the start. `set` changes the
 * control and the fragment and calls nothing. `disabled` is the reason why the control cannot be used, in words.
 *
 *   terse.slider(host, {label, key, min, max, step, value, scale: "linear" | "log", format, change, disabled, values})
 *       log: `min`, `max` and `value` are plain values, 200 positions; `values`: a list to choose from instead
 *   terse.select(host, {label, key, options: [{value, label}], value, change, disabled})
 *   terse.segmented(host, {label, key, options: [{value, label, disabled}], value, change})
 *       a row of choices; those that are disabled state their reason on hover and under the control
 *   terse.stepper(host, {label, key, min, max, value, format, change, play: milliseconds})
 *       previous, next and, with `play`, a button that steps by itself
 *   terse.checkbox(host, {label, key, value, change, disabled})
 *
 *   terse.absent(host, what, flag)     a grey box: `what` was not recorded, and the flag that records it
 *   terse.note(host, text, {warn})     a box with a text or a list of texts
 *   terse.command(host, text)          a command line with a button that copies it
 *   terse.themeToggle(host)            light, dark, or as the system has it
 *   terse.keys({ArrowRight: callback, …})   keys of the page; ignored while a control has the focus or with Ctrl, Alt
 *   terse.sections(nav, parts)         links and keys for the elements `parts` (each with id and data-title): n and p or
 *       1 … 9 go to the next, previous and i-th one, and move the focus to its heading; the state "at" names it
 */
(function (terse) {
  'use strict';

  const { el, state } = terse;
  let ids = 0;

  // What all controls have in common. `apply(value)` shows a value; `input` is the element that can be disabled.
  function control(host, node, options, { read, apply, inputs }) {
    const reason = el('p', { class: 'reason', hidden: true });
    node.append(reason);
    host.append(node);
    const self = {
      node,
      value: options.value,
      set(value) {
        self.value = value;
        apply(value);
        if (options.key) state.set(options.key, value);
      },
      disable(text) {
        inputs().forEach((input) => { input.disabled = true; });
        node.classList.add('off');
        node.title = text;
        reason.textContent = text;
        reason.hidden = false;
      },
      enable() {
        inputs().forEach((input) => { input.disabled = false; });
        node.classList.remove('off');
        node.removeAttribute('title');
        reason.hidden = true;
      },
      changed(value) {
        self.set(value);
        options.change?.(value);
      },
    };
    const restore = (text) => {
      const value = text === undefined ? options.value : read(text);
      self.value = value === undefined ? options.value : value;
      apply(self.value);
    };
    restore(options.key ? state.get(options.key) : undefined);
    if (options.key) {
      state.on(options.key, (text) => {
        if (!node.isConnected) return;  // a section has been drawn anew
        restore(text);
        options.change?.(self.value);
      });
    }
    if (options.disabled) self.disable(options.disabled);
    return self;
  }

  function slider(host, options) {
    const id = `control-${++ids}`;
    const write = options.format ?? terse.format.number;
    const log = options.scale === 'log';
    const list = options.values;
    const [low, high] = list ? [0, list.length - 1] : log ? [0, 200] : [options.min, options.max];
    const ratio = log ? Math.log(options.max / options.min) / 200 : 0;
    const toValue = (at) => (list ? list[at] : log ? Number((options.min * Math.exp(at * ratio)).toPrecision(4)) : at);
    const nearest = (value) => list.reduce((best, now, i) => (Math.abs(now - value) < Math.abs(list[best] - value) ? i : best), 0);
    const toPosition = (value) => (list ? nearest(value) : log ? Math.round(Math.log(value / options.min) / ratio) : value);
    const input = el('input', { type: 'range', id, min: low, max: high, step: list || log ? 1 : options.step ?? 'any' });
    const output = el('output', { for: id });
    const node = el('div', { class: 'control slider' }, el('label', { for: id }, el('span', {}, options.label), output), input);
    const self = control(host, node, options, {
      read: (text) => {
        const value = text === '' ? NaN : Number(text);
        const [least, most] = list ? [Math.min(...list), Math.max(...list)] : [options.min, options.max];
        return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : undefined;
      },
      apply: (value) => {
        input.value = toPosition(value);
        output.textContent = write(value);
        input.setAttribute('aria-valuetext', write(value));
      },
      inputs: () => [input],
    });
    input.addEventListener('input', () => self.changed(toValue(Number(input.value))));
    return self;
  }

  function select(host, options) {
    const id = `control-${++ids}`;
    const input = el('select', { id }, options.options.map(({ value, label }) => el('option', { value }, label)));
    const node = el('div', { class: 'control' }, el('label', { for: id }, options.label), input);
    const known = (text) => options.options.some(({ value }) => String(value) === text);
    options = { ...options, value: String(options.value ?? options.options[0]?.value ?? '') };
    const self = control(host, node, options, {
      read: (text) => (known(text) ? text : undefined),
      apply: (value) => { input.value = value; },
      inputs: () => [input],
    });
    input.addEventListener('change', () => self.changed(input.value));
    return self;
  }

  function segmented(host, options) {
    const name = `control-${++ids}`;
    const usable = options.options.filter((option) => !option.disabled);
    const inputs = options.options.map((option) => el('input', { type: 'radio', name, value: option.value, disabled: Boolean(option.disabled) }));
    const row = el('div', { class: 'segments' }, options.options.map((option, i) => el('label', { title: option.disabled || null }, inputs[i], el('span', {}, option.label))));
    const node = el('fieldset', { class: 'control' }, el('legend', {}, options.label), row);
    const reasons = [...new Set(options.options.filter((option) => option.disabled).map((option) => `${option.label}: ${option.disabled}`))];
    for (const reason of reasons) node.append(el('p', { class: 'reason' }, reason));
    const start = usable.find((option) => option.value === options.value) ?? usable[0];
    options = { ...options, value: start?.value };
    const self = control(host, node, options, {
      read: (text) => usable.find((option) => String(option.value) === text)?.value,
      apply: (value) => inputs.forEach((input) => { input.checked = input.value === String(value); }),
      inputs: () => inputs,
    });
    inputs.forEach((input, i) => input.addEventListener('change', () => self.changed(options.options[i].value)));
    return self;
  }

  function stepper(host, options) {
    const write = options.format ?? String;
    const back = el('button', { type: 'button', class: 'button', 'aria-label': 'previous' }, '←');
    const next = el('button', { type: 'button', class: 'button', 'aria-label': 'next' }, '→');
    const output = el('output', { 'aria-live': 'polite' });
    const play = options.play ? el('button', { type: 'button', class: 'button', 'aria-pressed': 'false' }, 'play') : null;
    const node = el('div', { class: 'control', role: 'group', 'aria-label': options.label },
      el('span', { class: 'label' }, options.label), el('div', { class: 'steps' }, back, output, next, play));
    const limit = (value) => Math.min(options.max, Math.max(options.min, value));
    options = { ...options, value: limit(options.value ?? options.min) };
    const self = control(host, node, options, {
      read: (text) => (Number.isInteger(Number(text)) && text !== '' ? limit(Number(text)) : undefined),
      apply: (value) => {
        output.textContent = write(value);
        back.disabled = value <= options.min;
        next.disabled = value >= options.max;
      },
      inputs: () => [back, next, play].filter(Boolean),
    });
    self.step = (by) => { if (limit(self.value + by) !== self.value) self.changed(limit(self.value + by)); };
    back.addEventListener('click', () => self.step(-1));
    next.addEventListener('click', () => self.step(1));
    if (play) autoplay(play, self, options);
    return self;
  }

  function autoplay(button, stepperControl, options) {
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = 'play';
      button.setAttribute('aria-pressed', 'false');
    };
    button.addEventListener('click', () => {
      if (timer) return stop();
      if (stepperControl.value >= options.max) stepperControl.changed(options.min);
      button.textContent = 'stop';
      button.setAttribute('aria-pressed', 'true');
      timer = setInterval(() => {
        stepperControl.step(1);
        if (stepperControl.value >= options.max) stop();
      }, options.play);
    });
  }

  function checkbox(host, options) {
    const id = `control-${++ids}`;
    const input = el('input', { type: 'checkbox', id });
    const node = el('div', { class: 'control check' }, input, el('label', { for: id }, options.label));
    const self = control(host, node, options, {
      read: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
      apply: (value) => { input.checked = Boolean(value); },
      inputs: () => [input],
    });
    input.addEventListener('change', () => self.changed(input.checked));
    return self;
  }

  function absent(host, what, flag) {
    const node = el('div', { class: 'absent' }, el('p', {}, what, flag ? [' The flag that records it is ', el('code', {}, flag), '.'] : null));
    host.append(node);
    return node;
  }

  function note(host, texts, { warn = false } = {}) {
    const list = Array.isArray(texts) ? el('ul', {}, texts.map((text) => el('li', {}, text))) : el('p', {}, texts);
    const node = el('div', { class: warn ? 'note warn' : 'note' }, list);
    host.append(node);
    return node;
  }

  function command(host, text) {
    const button = el('button', { type: 'button', class: 'button small' }, 'copy');
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'copied';
      } catch {
        getSelection().selectAllChildren(node.querySelector('code'));
        button.textContent = 'selected';
      }
      setTimeout(() => { button.textContent = 'copy'; }, 1500);
    });
    // Only a very long word may be broken, and no flag after its hyphens.
    const words = text.split(/(?<= )/).map((word) => (word.length < 32 ? el('span', { class: 'word' }, word) : word));
    const node = el('div', { class: 'command' }, el('pre', {}, el('code', {}, words)), button);
    host.append(node);
    return node;
  }

  function themeToggle(host) {
    const names = { auto: 'theme: system', light: 'theme: light', dark: 'theme: dark' };
    const order = Object.keys(names);
    const button = el('button', { type: 'button', class: 'button small' });
    const show = (value) => {
      const theme = order.includes(value) ? value : 'auto';
      if (theme === 'auto') delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      button.textContent = names[theme];
      button.dataset.value = theme;
      document.dispatchEvent(new Event('themechange'));
    };
    button.addEventListener('click', () => {
      const next = order[(order.indexOf(button.dataset.value) + 1) % order.length];
      state.set('theme', next === 'auto' ? null : next);
      show(next);
    });
    show(state.get('theme'));
    state.on('theme', show);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => document.dispatchEvent(new Event('themechange')));
    host.append(button);
    return button;
  }

  function keys(table) {
    document.addEventListener('keydown', (event) => {
      const busy = event.target.closest?.('input, select, textarea, [contenteditable]');
      if (busy || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
      const callback = table[event.key];
      if (!callback) return;
      event.preventDefault();
      callback(event);
    });
  }

  function sections(nav, parts) {
    const links = parts.map((part) => el('a', { href: '#at=' + part.id, 'data-for': part.id }, part.dataset.title));
    nav.append(...links);
    let current = 0;
    let wentAt = -1e9;
    const mark = (i) => {
      current = i;
      links.forEach((link, k) => link.setAttribute('aria-current', String(k === i)));
      const over = links[i].offsetLeft + links[i].offsetWidth - nav.scrollLeft - nav.clientWidth;
      if (over > 0 || links[i].offsetLeft < nav.scrollLeft) nav.scrollLeft = Math.max(0, links[i].offsetLeft - 24);
    };
    const go = (i, focus = true) => {
      if (!parts[i]) return;
      state.set('at', parts[i].id);
      wentAt = performance.now();
      parts[i].scrollIntoView({ block: 'start', behavior: 'instant' });
      mark(i);
      const heading = parts[i].querySelector('h2');
      heading?.setAttribute('tabindex', '-1');
      if (focus) heading?.focus({ preventScroll: true });
    };
    links.forEach((link, i) => link.addEventListener('click', (event) => { event.preventDefault(); go(i); }));
    const table = { n: () => go(current + 1), p: () => go(current - 1) };
    parts.forEach((part, i) => { if (i < 9) table[String(i + 1)] = () => go(i); });
    keys(table);
    const named = (id) => parts.findIndex((part) => part.id === id);
    state.on('at', (id) => { if (named(id) >= 0) go(named(id)); });
    // A short last section does not reach the top, so the scrolling that `go` causes does not count.
    const spy = () => {
      if (performance.now() - wentAt < 300) return;
      const line = Math.min(innerHeight * 0.35, 260);
      let now = 0;
      parts.forEach((part, i) => { if (part.getBoundingClientRect().top < line) now = i; });
      if (now !== current) mark(now);
    };
    mark(0);
    addEventListener('scroll', spy, { passive: true });
    const start = named(state.get('at'));
    if (start >= 0) requestAnimationFrame(() => go(start, false));
    return { go };
  }

  Object.assign(terse, { slider, select, segmented, stepper, checkbox, absent, note, command, themeToggle, keys, sections });
})((globalThis.terse ??= {}));
