/*
 * The state of a page, in the fragment of its address: page.html#costs.run=1&theme=dark. It survives a reload, and a
 * slide can link to a view. Names are dotted: section or scene first.
 *
 *   terse.state.get(name, otherwise)   the text, or `otherwise` if the fragment does not have the name
 *   terse.state.number(name, otherwise)  the same as a number; `otherwise` if it is none
 *   terse.state.set(name, value)       writes it to the fragment; null removes it; replaces the history entry
 *   terse.state.on(name, callback)     callback(text or undefined) after the fragment changed from outside: a link was
 *                                      followed, or the address was edited. `set` does not call it.
 *   terse.state.link()                 the address of the present view
 */
(function (terse) {
  'use strict';

  let values = new Map();
  const listeners = [];

  function parse(fragment) {
    const found = new Map();
    for (const part of fragment.replace(/^#/, '').split('&')) {
      const at = part.indexOf('=');
      if (at < 1) continue;
      try {
        found.set(decodeURIComponent(part.slice(0, at)), decodeURIComponent(part.slice(at + 1)));
      } catch {
        // A broken escape sequence of an edited address: this part is ignored.
      }
    }
    return found;
  }

  // The characters that fragments may have unescaped stay readable.
  const escape = (text) => encodeURIComponent(text).replace(/%(2C|3A|2F|40)/gi, decodeURIComponent);

  function write() {
    const parts = [...values].map(([name, value]) => escape(name) + '=' + escape(value));
    const address = location.pathname + location.search + (parts.length ? '#' + parts.join('&') : '');
    history.replaceState(history.state, '', address);
  }

  const get = (name, otherwise) => (values.has(name) ? values.get(name) : otherwise);

  function number(name, otherwise) {
    const value = values.has(name) && values.get(name) !== '' ? Number(values.get(name)) : NaN;
    return Number.isFinite(value) ? value : otherwise;
  }

  function set(name, value) {
    if (value === null || value === undefined) values.delete(name);
    else values.set(name, String(value));
    write();
  }

  function on(name, callback) {
    listeners.push({ name, callback });
  }

  function changed() {
    const before = values;
    values = parse(location.hash);
    for (const { name, callback } of listeners) {
      if (before.get(name) !== values.get(name)) callback(values.get(name));
    }
  }

  if (typeof window !== 'undefined') {
    values = parse(location.hash);
    window.addEventListener('hashchange', changed);
  }

  terse.state = { get, number, set, on, link: () => location.href };
})((globalThis.terse ??= {}));
