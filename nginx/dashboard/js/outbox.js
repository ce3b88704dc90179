// Contacts on their way to the log. What is logged cannot be unlogged, so each waits a
// few seconds in which it can be undone; then it is sent, with one key for all its
// attempts, so that no retry logs it twice.

import { Problem, get, post } from './api.js';
import { organization } from './session.js';

export const undoSeconds = 7;
const attempts = 4;
const changes = new EventTarget();
const entries = new Map();

export const contacts = () => [...entries.values()];
export const contactOf = (patientID) => contacts().findLast((each) => each.patient.id === patientID) ?? null;
export const onContact = (listener) => changes.addEventListener('change', (event) => listener(event.entry));

/** `patient` has id, name and risk_level, as they were when the contact was made. */
export function add(patient, fields) {
  const entry = {
    key: newKey(), organization: organization(), patient, fields,
    state: 'waiting', due: Date.now() + undoSeconds * 1000, problem: null, after: null,
  };
  entry.timer = setTimeout(() => send(entry), undoSeconds * 1000);
  entries.set(entry.key, entry);
  tell(entry);
  return entry;
}

/** Only while it waits: afterwards it may be in the log. */
export function undo(entry) {
  if (entry.state !== 'waiting') return false;
  remove(entry, 'undone');
  return true;
}

export function sendNow(entry) {
  if (entry.state === 'waiting') send(entry);
}

export function retry(entry) {
  if (entry.state === 'failed') send(entry);
}

/** A contact that could not be logged, or the notice of one that was. */
export function dismiss(entry) {
  if (entry.state === 'failed' || entry.state === 'logged') remove(entry, 'dismissed');
}

/** Before the organization changes: what waits belongs to the one that was. */
export function flush() {
  return Promise.all(contacts().filter((each) => each.state === 'waiting').map((each) => send(each)));
}

/** When the page goes away nothing can be undone any more; the browser sees these through. */
export function flushOnLeaving() {
  for (const entry of contacts()) {
    if (entry.state === 'waiting' && entry.organization === organization()) {
      clearTimeout(entry.timer);
      change(entry, 'sending');
      post('log-outreach', bodyOf(entry), entry.key, { keepalive: true }).then(
        () => change(entry, 'logged'), (problem) => fail(entry, problem));
    }
  }
}

export const isAnyOnItsWay = () => contacts().some((each) => each.state === 'waiting' || each.state === 'sending');

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const bodyOf = (entry) => ({ patient_id: entry.patient.id, ...entry.fields });

async function send(entry) {
  clearTimeout(entry.timer);
  change(entry, 'sending');
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (entry.organization !== organization()) {
        throw new Problem(403, 'This contact belongs to another organization: sign in to that one, then retry.');
      }
      await post('log-outreach', bodyOf(entry), entry.key);
      entry.after = await get(`patients/${encodeURIComponent(entry.patient.id)}`).catch(() => null);
      return change(entry, 'logged');
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!problem.isPassing || attempt === attempts) return fail(entry, problem);
      await pause(problem.retryAfter ?? attempt);
    }
  }
}

function fail(entry, problem) {
  entry.problem = problem;
  change(entry, 'failed');
}

const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

function change(entry, state) {
  entry.state = state;
  tell(entry);
}

function remove(entry, state) {
  clearTimeout(entry.timer);
  entries.delete(entry.key);
  change(entry, state);
}

function tell(entry) {
  changes.dispatchEvent(Object.assign(new Event('change'), { entry }));
}
