// Short notices in a corner. They take no focus and disappear by themselves, except for failures.

import { announce, h } from './dom.js';

const lifetime = 12_000;
const most = 3;
const shown = new Set();

/**
 * `isLasting` notices stay until the reader closes them. `buttons` are pairs of a text and a function. A result replaces
 * the result before.
 */
export function toast({ text, content = text, buttons = [], kind = 'result', isLasting = false }) {
  if (kind === 'result') [...shown].filter((each) => each.kind === kind).forEach(remove);
  const notice = { kind, left: isLasting ? Infinity : lifetime };
  const act = (action) => () => { remove(notice); action(); };
  notice.element = h('article', { class: `toast ${kind}`, onkeydown: (event) => event.key === 'Escape' && remove(notice) },
    h('p', {}, content),
    h('div', { class: 'contact-buttons' },
      buttons.map(([name, action]) => h('button', { type: 'button', class: 'button small', onclick: act(action) }, name)),
      h('button', { type: 'button', class: 'button quiet small', onclick: act(() => {}) }, 'Close')));
  document.getElementById('toasts').append(notice.element);
  shown.add(notice);
  if (shown.size > most) remove([...shown][0]);
  announce(text);
}

export function clearToasts() {
  for (const notice of shown) notice.element.remove();
  shown.clear();
}

function remove(notice) {
  const hadFocus = notice.element.contains(document.activeElement);
  notice.element.remove();
  shown.delete(notice);
  if (hadFocus) (document.getElementById('bell') ?? document.getElementById('content')).focus({ preventScroll: true });
}

// Time does not count while nobody can read or reach the notice, or while somebody does (WCAG 2.2, 2.2.1).
setInterval(() => {
  if (document.hidden || document.querySelector('dialog[open]')) return;
  for (const notice of shown) {
    if (notice.element.matches(':hover, :focus-within')) continue;
    notice.left -= 1000;
    if (notice.left <= 0) remove(notice);
  }
}, 1000);
