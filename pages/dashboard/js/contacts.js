// The notices in the corner: contacts that will be logged, with Undo, and their results. Only their own person sees
// them. Other people see the number of waiting contacts.

import { announce, h, written } from './dom.js';
import { moment, plural } from './format.js';
import { channelText, levelText, outcomeText } from './levels.js';
import { nameOf } from './names.js';
import * as outbox from './outbox.js';
import * as session from './session.js';

const shown = new Map();
const goodbye = 8000;
let reopen = null;
/** After "Sign out": the person whose contacts the question is about. */
let leaver = null;
let closedAt = 0;

/** `openDraft` opens the dialog of an entry again. */
export function startContacts(openDraft) {
  reopen = openDraft;
  outbox.onContact((entry) => { show(entry); showHeld(); });
  session.onPerson(showAll);
  addEventListener('storage', () => { outbox.lookAgain(); showHeld(); });
  addEventListener('online', outbox.resume);
  setInterval(countDown, 250);
  document.addEventListener('visibilitychange', () => document.hidden && outbox.keepAll());
  addEventListener('pagehide', outbox.leave);
  addEventListener('pageshow', (event) => event.persisted && outbox.comeBack());
  addEventListener('beforeunload', (event) => {
    if (outbox.isAnyUnsaved()) event.preventDefault();
  });
}

/** For keyboard users: the focus moves to the notice of the new contact, which has Undo. */
export function focusUndo(entry) {
  shown.get(entry.key)?.querySelector('button')?.focus();
}

/** Removes everything about the person from the page. The question about unlogged contacts names nobody. */
export function afterSignOut(owner) {
  [leaver, closedAt] = [owner, 0];
  showHeld();
}

function showAll() {
  if (session.owner() !== null) leaver = null;
  outbox.contacts().forEach(show);
  showHeld();
}

function show(entry) {
  const before = shown.get(entry.key);
  const hadFocus = before?.contains(document.activeElement);
  const content = outbox.isMine(entry) && !entry.isOpen && parts[entry.state]?.(entry);
  if (!content) {
    before?.remove();
    shown.delete(entry.key);
    if (entry.end === 'undone') announce(`Undone. Nothing was logged for ${nameOf(entry.patient)}.`);
  } else {
    const notice = h('article', { class: `contact-notice ${entry.state}`, 'data-state': entry.state }, content);
    if (before) before.replaceWith(notice);
    else document.getElementById('contacts').append(notice);
    shown.set(entry.key, notice);
    announce(notice.querySelector('.contact-what').textContent);
    if (entry.state === 'logged') setTimeout(() => outbox.discard(entry), goodbye);
  }
  if (hadFocus) giveFocusBack(entry);
}

// To the next button of the notice, otherwise to the patient's button in the list, otherwise to the page.
function giveFocusBack(entry) {
  const next = shown.get(entry.key)?.querySelector('button')
    ?? document.querySelector(`[data-key="${CSS.escape(`contact ${entry.patient.id} ${entry.fields.method}`)}"]`)
    ?? document.getElementById('content');
  next.focus({ preventScroll: true });
}

const parts = {
  draft: (entry) => [
    h('p', { class: 'contact-what' }, title(entry), ': notes were typed and nothing was logged.'),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => reopen(entry) }, 'Go on writing'),
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.discard(entry) }, 'Discard')),
  ],
  waiting: (entry) => [
    said(entry, ' will be logged in ', h('span', { class: 'contact-seconds' }, secondsLeft(entry))),
    h('div', { class: 'contact-bar', 'aria-hidden': 'true', vars: { seconds: `${outbox.undoSeconds}s` } }),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => outbox.undo(entry) }, 'Undo'),
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.sendNow(entry) }, 'Log now')),
  ],
  sending: (entry) => [said(entry, ' is being logged…')],
  recorded: (entry) => [said(entry, ' is being logged…')],
  logged: (entry) => [
    said(entry, ' is logged. ', effect(entry)),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.discard(entry) }, 'Close')),
  ],
  failed: (entry) => [
    said(entry, ' is not logged: ', ...reasonOf(entry)),
    h('p', { class: 'muted small' }, `Made on ${moment(entry.made)}. `, entry.isKept
      ? 'It is kept on this computer, sealed, for you alone: until it is logged or discarded, a week at most, and not after you sign out.'
      : 'It is kept in this tab alone: closing it loses it.'),
    h('div', { class: 'contact-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => outbox.sendNow(entry) }, 'Try again'),
      h('button', { type: 'button', class: 'button quiet', onclick: () => outbox.discard(entry) }, 'Discard')),
  ],
};

function reasonOf({ problem }) {
  if (!problem) return ['it could not be sent yet.'];
  return [problem.detail, ...problem.errors.map((each) => ` ${each.message}`),
    problem.requestID && h('span', { class: 'request-id', translate: 'no' }, ` Request ${problem.requestID}`)];
}

const title = ({ patient, fields }) => h('strong', {}, channelText[fields.method], ' to ', written(nameOf(patient)));

function said(entry, ...rest) {
  return h('p', { class: 'contact-what' }, title(entry), ` (${outcomeText[entry.fields.outcome]})`, ...rest);
}

function effect({ patient, after }) {
  if (!after) return '';
  const now = levelText[after.risk_level].name;
  if (!patient.risk_level || after.risk_level === patient.risk_level) return `The risk level stays ${now}.`;
  return `The risk level is now ${now}; it was ${levelText[patient.risk_level].name}.`;
}

const secondsLeft = (entry) => `${Math.max(1, Math.ceil((entry.due - performance.now()) / 1000))} s`;

function countDown() {
  for (const entry of outbox.contacts()) {
    const seconds = shown.get(entry.key)?.querySelector('.contact-seconds');
    if (seconds && seconds.textContent !== secondsLeft(entry)) seconds.textContent = secondsLeft(entry);
  }
}

function showHeld() {
  if (leaver && outbox.held(leaver).count === 0) leaver = null;
  const { count, isInTabAlone } = outbox.held(leaver);
  const before = document.getElementById('held');
  closedAt = Math.min(count, closedAt);
  if (count === closedAt) return before?.remove();
  const text = heldText(count, isInTabAlone);
  if (before?.dataset.text === text) return null;
  const notice = h('article', { class: 'contact-notice held', id: 'held', 'data-state': 'held', 'data-text': text },
    h('p', { class: 'contact-what' }, text), h('div', { class: 'contact-buttons' }, heldButtons(count)));
  if (before) before.replaceWith(notice);
  else document.getElementById('contacts').append(notice);
  return announce(text);
}

function heldText(count, isInTabAlone) {
  const what = `${plural(count, 'contact')} ${count === 1 ? 'is' : 'are'} not logged yet`;
  const place = isInTabAlone ? 'Closing this tab loses them.' : 'Until then they are kept on this computer, sealed, a week at most.';
  const who = leaver ? 'when you sign in again' : 'when the person who made them signs in';
  return `${what}, and ${count === 1 ? 'goes' : 'go'} on ${who}. ${place}`.replace(/\b(?:them|they are)\b/g, (word) =>
    (count > 1 ? word : { them: 'it', 'they are': 'it is' }[word]));
}

function heldButtons(count) {
  if (!leaver) {
    return [h('button', { type: 'button', class: 'button quiet', onclick: () => { closedAt = count; showHeld(); } }, 'Close')];
  }
  const question = h('span', { hidden: true }, 'This cannot be undone. ',
    h('button', { type: 'button', class: 'button', onclick: () => outbox.discardOf(leaver) }, 'Discard for good'));
  const first = h('button', { type: 'button', class: 'button quiet', onclick: () => {
    first.remove();
    question.hidden = false;
    question.querySelector('button').focus();
  } }, 'Discard');
  return [first, question];
}
