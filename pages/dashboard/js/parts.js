// Parts that several views share.

import { h, unseen } from './dom.js';
import { levelText } from './levels.js';
import { contactOf } from './outbox.js';

export function badge(level) {
  return h('span', { class: `badge level-${level}` }, h('span', { class: 'dot', 'aria-hidden': 'true' }),
    unseen('Risk level: '), levelText[level].name);
}

export function heading(title, ...rest) {
  return h('div', { class: 'heading' }, h('h1', { tabindex: '-1', id: 'title' }, title), ...rest);
}

export function panel(title, attributes, ...content) {
  const id = `panel-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return h('section', { ...attributes, class: `panel ${attributes.class ?? ''}`, 'aria-labelledby': id },
    h('h2', { id }, title), ...content);
}

/** Links that select one of a few options. Each is an address, so that it can be bookmarked. */
export function choice(label, options, chosen) {
  return h('nav', { class: 'choice', 'aria-label': label }, h('ul', {}, options.map(({ value, text, href, more }) =>
    h('li', {}, h('a', {
      href, class: value === chosen ? 'chosen' : '', 'aria-current': value === chosen ? 'true' : null,
      'data-key': `${label} ${value}`, 'data-label': label,
    }, text, more)))));
}

export function empty(title, ...text) {
  return h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, ...text));
}

export function facts(pairs, attributes = {}) {
  return h('dl', { class: 'facts', ...attributes }, pairs.map(([name, value, more]) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, value, more && [' ', h('small', {}, more)]))));
}

/** A figure and the industry's benchmark, as a bar with a mark. */
export function bar(value, mark = null) {
  return h('div', { class: 'bar', 'aria-hidden': 'true', vars: { value: `${Math.min(value, 100)}%` } },
    mark !== null && h('span', { class: 'bar-mark', vars: { mark: `${mark}%` } }));
}

/** The list's remark about a contact that is not logged yet. */
export function contactMark(patientID) {
  return h('p', { class: 'contact-mark', 'data-contact-mark': patientID }, markText(patientID));
}

export function refreshMarks() {
  for (const mark of document.querySelectorAll('[data-contact-mark]')) {
    mark.textContent = markText(mark.dataset.contactMark);
  }
}

function markText(patientID) {
  const texts = { waiting: 'A contact is waiting to be logged', sending: 'Being logged…', recorded: 'Being logged…',
    failed: 'A contact is not logged yet', draft: 'Notes are not logged yet' };
  return texts[contactOf(patientID)?.state] ?? '';
}
