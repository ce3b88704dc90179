// The session ends after a time without input and when the token expires. Neither needs a response of the server. A
// warning shows the remaining seconds before.

import { mark, since, sinceAwake, spanTo } from './clock.js';
import { h } from './dom.js';
import * as outbox from './outbox.js';
import * as session from './session.js';
import { idleMinutes } from './settings.js';
import { forgetUnsent } from './views/signin.js';

const longestWarning = 60_000;
/** Other tabs receive the news of input with a delay. */
const lag = 2000;
/** Also by assistive technology. */
const inputs = ['pointerdown', 'pointermove', 'keydown', 'keyup', 'wheel', 'touchstart', 'touchmove', 'input', 'click'];

let end = null;
let lastInput = mark();
let lastTold = null;
let pointer = '';
let isHeld = false;

/** Calls `whenOver` with the reason, as a text for the reader, and whether the token has expired. */
export function startLeaving(whenOver) {
  end = whenOver;
  for (const name of inputs) addEventListener(name, noteInput, true);
  // Timers are late in sleep, in the browser's cache and in a hidden tab. The capture phase runs before the page's own
  // listeners.
  for (const name of ['focus', 'pageshow', 'resume', 'visibilitychange']) addEventListener(name, () => isOver(), true);
  session.onSignIn(() => { lastInput = mark(); });
  session.onTabs({ input: () => { lastInput = mark(); showWarning(); }, idle: () => isOver(lag) });
  setInterval(() => isOver() || showWarning(), 1000);
}

/** Returns whether the session has ended. If so, the page is blank when this returns. */
export function isOver(early = 0) {
  const limit = idleMinutes() * 60_000;
  if (session.token() === null) return since(lastInput) >= limit && forgetUnsent();
  const expires = expiry();
  if (expires && expires.left <= 0) {
    end(expires.leftAwake <= 0 ? 'Your session has expired. Sign in again to go on.'
      : 'This device has slept, or its clock was set, and your session may have expired. Sign in again to go on.', true);
  } else if (since(lastInput) >= limit - early) {
    session.tellTabs('idle');
    end(sinceAwake(lastInput) >= limit - early ? `You are signed out: nobody has used this page for ${minutes(limit)}.`
      : `You are signed out: this device has slept, or its clock was set, and ${minutes(limit)} are over.`, false);
  } else {
    return false;
  }
  showWarning();
  return true;
}

const minutes = (limit) => (limit === 60_000 ? 'a minute' : `${limit / 60_000} minutes`);

// Until the API has accepted the token, nothing is shown, and the API decides whether it has expired.
const expiry = () => (session.person() === null ? null : spanTo(session.expires()));

function noteInput(event) {
  if (!event.isTrusted || isOfHeldKey(event) || isSamePlace(event)) return;
  if (isOver()) return stop(event);
  lastInput = mark();
  showWarning();
  if (session.token() === null || (lastTold && since(lastTold) < 1000)) return;
  lastTold = mark();
  session.tellTabs('input');
}

// The input was meant for the content that was there before.
function stop(event) {
  event.stopImmediatePropagation();
  if (['keydown', 'click'].includes(event.type)) event.preventDefault();
}

// A key that is held down by an object is no input, and neither are its text and its clicks.
function isOfHeldKey({ type, repeat }) {
  if (!['input', 'click'].includes(type)) isHeld = type === 'keydown' && repeat;
  return isHeld;
}

// Some browsers report a pointer move when an element moves under a resting pointer.
function isSamePlace({ type, screenX, screenY }) {
  if (type !== 'pointermove') return false;
  const before = pointer;
  pointer = `${screenX} ${screenY}`;
  return pointer === before;
}

/** The event that comes first and its remaining milliseconds, if few remain. */
function warning() {
  if (session.token() === null) return null;
  const limit = idleMinutes() * 60_000;
  const left = limit - since(lastInput);
  const expires = expiry();
  const span = (whole) => Math.min(longestWarning, whole / 4);
  if (expires && expires.left <= Math.min(left, span(session.lifetime()))) return { left: expires.left, isExpiry: true };
  return left <= span(limit) ? { left, isExpiry: false } : null;
}

function showWarning() {
  const found = warning();
  const before = document.getElementById('leaving');
  if (!found) return before?.remove();
  const kind = found.isExpiry ? 'expiry' : 'idle';
  // A modal dialog is above everything else on the page.
  const place = document.querySelector('dialog[open]') ?? document.body;
  const note = before?.dataset.kind === kind && before.parentNode === place ? before : notice(kind);
  if (note !== before) {
    before?.remove();
    outbox.keepAll();
    place.append(note);
  }
  note.querySelector('.leaving-seconds').textContent = `${Math.max(0, Math.ceil(found.left / 1000))} s`;
  note.querySelector('.leaving-rest').textContent = restText();
}

// Screen readers do not read the seconds at each change.
const notice = (kind) => h('div', { id: 'leaving', class: 'leaving', role: 'alert', 'data-kind': kind },
  h('p', {}, kind === 'expiry' ? 'Your session ends soon. ' : 'Nobody has used this page for a while, so it signs out soon. ',
    h('strong', { class: 'leaving-seconds', 'aria-hidden': 'true' })),
  h('p', { class: 'leaving-rest' }),
  kind === 'idle' && h('button', { type: 'button', class: 'button', 'data-key': 'stay' }, 'Stay signed in'));

function restText() {
  const { count, isInTabAlone } = outbox.held(session.person());
  if (count === 0) return '';
  return isInTabAlone ? 'What is not logged yet waits in this tab, unseen, until you sign in again; closing the tab loses it.'
    : 'What is not logged yet is kept on this computer, sealed, until you sign in again.';
}
