// The notices in the corner: what will be logged, with Undo, and what became of it.

import { announce, h, written } from './dom.js';
import { channelText, levelText, outcomeText } from './levels.js';
import { nameOf } from './names.js';
import * as outbox from './outbox.js';

const shown = new Map();
const goodbye = 8000;

export function startContacts() {
  outbox.onContact(show);
  setInterval(countDown, 250);
  addEventListener('pagehide', outbox.flushOnLeaving);
  addEventListener('beforeunload', (event) => {
    if (outbox.isAnyOnItsWay()) event.preventDefault();
  });
}

/** For the keyboard: the notice of a contact just made is where Undo is. */
export function focusUndo(entry) {
  shown.get(entry.key)?.querySelector('button')?.focus();
}

function show(entry) {
  const before = shown.get(entry.key);
  const hadFocus = before?.contains(document.activeElement);
  if (entry.state === 'undone' || entry.state === 'dismissed') {
    before?.remove();
    shown.delete(entry.key);
    if (entry.state === 'undone') announce(`Undone. Nothing was logged for ${nameOf(entry.patient)}.`);
  } else {
    const notice = h('article', { class: `contact-notice ${entry.state}`, 'data-state': entry.state }, parts[entry.state](entry));
    if (before) before.replaceWith(notice);
    else document.getElementById('contacts').append(notice);
    shown.set(entry.key, notice);
    announce(notice.querySelector('.contact-what').textContent);
    if (entry.state === 'logged') setTimeout(() => outbox.dismiss(entry), goodbye);
  }
  if (hadFocus) giveFocusBack(entry);
}

// To the next button of the notice, else to the patient's in the list, else to the page.
function giveFocusBack(entry) {
  const next = shown.get(entry.key)?.querySelector('button')
    ?? document.querySelector(`[data-key="${CSS.escape(`contact ${entry.patient.id} ${entry.fields.method}`)}"]`)
    ?? document.getElementById('content');
  next.focus({ preventScroll: true });
}

const parts = {
  waiting: (entry) => [
    said(entry, ' will be logged in ', h('span', { class: 'contact-seconds' }, secondsLeft(entry))),
    h('div', { class: 'contact-bar', 'aria-hidden': 'true', vars: { seconds: `${outbox.undoSeconds}s` } }),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => outbox.undo(entry) }, 'Undo'),
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.sendNow(entry) }, 'Log now')),
  ],
  sending: (entry) => [said(entry, ' is being logged…')],
  logged: (entry) => [
    said(entry, ' is logged. ', effect(entry)),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.dismiss(entry) }, 'Close')),
  ],
  failed: (entry) => [
    said(entry, ' is not logged: ', entry.problem.detail,
      ...entry.problem.errors.map((each) => ` ${each.message}`),
      entry.problem.requestID && h('span', { class: 'request-id' }, ` Request ${entry.problem.requestID}`)),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => outbox.retry(entry) }, 'Try again'),
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.dismiss(entry) }, 'Discard')),
  ],
};

function said({ patient, fields }, ...rest) {
  return h('p', { class: 'contact-what' }, h('strong', {}, channelText[fields.method], ' to ', written(nameOf(patient))),
    ` (${outcomeText[fields.outcome]})`, ...rest);
}

function effect({ patient, after }) {
  if (!after) return '';
  const now = levelText[after.risk_level].name;
  if (!patient.risk_level || after.risk_level === patient.risk_level) return `The risk level stays ${now}.`;
  return `The risk level is now ${now}; it was ${levelText[patient.risk_level].name}.`;
}

const secondsLeft = (entry) => `${Math.max(1, Math.ceil((entry.due - Date.now()) / 1000))} s`;

function countDown() {
  for (const entry of outbox.contacts()) {
    const seconds = shown.get(entry.key)?.querySelector('.contact-seconds');
    if (seconds && seconds.textContent !== secondsLeft(entry)) seconds.textContent = secondsLeft(entry);
  }
}
