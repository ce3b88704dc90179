// Contacts that are not logged yet. Each belongs to the person who made it, within an organization: no other token
// sends it, no other person sees it. A logged contact cannot be removed, so each waits a few seconds for Undo. Then it
// is sent, with one idempotency key for all attempts, so that no retry logs it twice.

import { Problem, get, post } from './api.js';
import { mark, serverTime, since } from './clock.js';
import * as stored from './stored-contacts.js';
import * as session from './session.js';

export const undoSeconds = 7;
const attempts = 4;
/** The log contains the time of sending. An entry older than a working day is sent only by a person. */
const sameDay = 12 * 60 * 60 * 1000;

/**
 * The states of an entry. `asks`: closing the page would lose it, so the browser asks first. `flushes`: it is sent when
 * the page or the person leaves. `sends`: a person or the outbox may send it. `keeps`: it is stored when the page is
 * closed.
 */
const states = {
  blank: { asks: false, flushes: false, sends: false, keeps: false },
  draft: { asks: true, flushes: false, sends: false, keeps: true },
  waiting: { asks: true, flushes: true, sends: true, keeps: true },
  sending: { asks: true, flushes: true, sends: false, keeps: true },
  failed: { asks: true, flushes: true, sends: true, keeps: true },
  recorded: { asks: false, flushes: false, sends: false, keeps: false },
  logged: { asks: false, flushes: false, sends: false, keeps: false },
  gone: { asks: false, flushes: false, sends: false, keeps: false },
};

const changes = new EventTarget();
const entries = new Map();

export const contacts = () => [...entries.values()];
export const isMine = (entry) => session.person() !== null && entry.owner === session.person();
export const contactOf = (patientID) => contacts().findLast((each) => isMine(each) && each.patient.id === patientID) ?? null;
export const onContact = (listener) => changes.addEventListener('change', (event) => listener(event.entry));
export const isAnyUnsaved = () => contacts().some((each) => states[each.state].asks && (isMine(each) || !each.isKept));

/** The number of entries of an absent person, or of one who has just left, and whether only this tab has them. */
export function held(leaver) {
  const isMeant = leaver ? isOf(leaver) : (owner) => owner !== session.presumed();
  const here = contacts().filter((each) => states[each.state].asks && isMeant(each.owner));
  const keys = new Set([...(leaver ? [] : stored.keysOfOthers(session.presumed())), ...here.map(({ key }) => key)]);
  return { count: keys.size, isInTabAlone: here.some((each) => !each.isKept) };
}

/** Copies the fields of the patient that the notices show, as they are when the dialog opens. */
export function begin({ id, name, risk_level }, fields) {
  const patient = { id, name, risk_level };
  const entry = { key: newKey(), owner: session.owner(), made: serverTime(), patient, fields, state: 'blank', problem: null, after: null };
  entries.set(entry.key, entry);
  return entry;
}

/** Text in the dialog. Notes are unsaved work from their first character. */
export function write(entry, fields) {
  entry.fields = fields;
  entry.state = fields.notes.trim() ? 'draft' : 'blank';
  if (entry.state === 'draft') stored.seal(entry);
  else if (entry.sealed) stored.drop(entry);
}

export function finish(entry, fields) {
  Object.assign(entry, { fields, made: serverTime(), due: performance.now() + undoSeconds * 1000 });
  entry.timer = setTimeout(() => send(entry), undoSeconds * 1000);
  change(entry, 'waiting');
  stored.seal(entry);
}

/** Only while it waits. Afterwards it may have been logged. */
export function undo(entry) {
  if (entry.state !== 'waiting' || !isMine(entry)) return false;
  remove(entry, 'undone');
  return true;
}

export function sendNow(entry) {
  if (states[entry.state].sends && isMine(entry)) send(entry);
}

/** Removes an entry that will not be logged, or the notice of one that was. */
export function discard(entry) {
  const isAsked = ['draft', 'failed', 'logged'].includes(entry.state) && isMine(entry);
  if (isAsked || entry.state === 'blank') remove(entry, 'discarded');
}

/** The person or the page leaves. Undo ends, and nothing waits for the network. */
export function flush() {
  for (const entry of contacts().filter((each) => isMine(each) && states[each.state].flushes)) {
    if (entry.state === 'waiting') send(entry);
    else if (!entry.isUnderWay && isPassing(entry)) attempt(entry, true).then((problem) => problem ?? record(entry));
  }
}

/** The page may not return: a phone ends hidden pages without an event. */
export function keepAll() {
  for (const entry of contacts()) if (states[entry.state].keeps) stored.keep(entry);
}

/** The person has left or changed. Entries of another person wait for that person, in any tab where they sign in. */
export function putAway() {
  keepAll();
  for (const entry of contacts().filter((each) => states[each.state].keeps)) putAside(entry);
}

async function putAside(entry) {
  if (!isAway(entry) || entry.isUnderWay) return;
  clearTimeout(entry.timer);
  if (await stored.putAway(entry) && isAway(entry)) takeOff(entry);
}

const isAway = (entry) => session.subjectOf(entry.owner) !== session.subjectOf(session.owner());

/** The page is closed. Another tab sends the entries that this one cannot finish. */
export function leave() {
  flush();
  keepAll();
  stored.letGo();
}

/** The page returns from the browser's cache. It takes its stored entries again, unless another tab has them. */
export function comeBack() {
  for (const entry of contacts().filter((each) => each.isKept)) {
    if (entry.isOpen) {
      stored.seal(entry);
    } else {
      takeOff(entry);
    }
  }
  resume();
}

/** The API has accepted the person's token. Their waiting entries continue, whichever tab they come from. */
export function resume() {
  const owner = session.person();
  if (owner === null) return;
  contacts().filter(isMine).forEach(goOn);
  stored.adopt(owner, ({ isDraft, ...found }) => {
    if (session.person() !== owner) return false;
    const entry = { ...found, state: isDraft ? 'draft' : 'failed', problem: null, after: null };
    entries.set(entry.key, entry);
    goOn(entry);
    return true;
  });
}

/**
 * Signed out: no entry of the person stays on the computer, in any of their organizations. Entries that could not be
 * logged wait in this tab or are discarded.
 */
export function forget(leaver) {
  for (const entry of contacts().filter((each) => isOf(leaver)(each.owner))) {
    if (states[entry.state].asks) stored.drop(entry);
    else remove(entry, 'discarded');
  }
  stored.dropAllOf(isOf(leaver));
}

export function discardOf(leaver) {
  for (const entry of contacts().filter((each) => isOf(leaver)(each.owner))) remove(entry, 'discarded');
}

/**
 * Entries that another tab removed exist only in this one from now on. Storing them again would undo the signing out.
 */
export function lookAgain() {
  for (const entry of contacts().filter(stored.isGone)) {
    stored.drop(entry);
    tell(entry);
  }
}

const isOf = (leaver) => (owner) => session.subjectOf(owner) === session.subjectOf(leaver);

function goOn(entry) {
  if (states[entry.state].keeps && !entry.sealed) stored.seal(entry);
  if (entry.state !== 'failed' || !isPassing(entry)) return tell(entry);
  const rest = entry.isToWait ? entry.isToWait.span - since(entry.isToWait.at) : 0;
  if (rest > 0) {
    setTimeout(() => isMine(entry) && goOn(entry), rest);
    return tell(entry);
  }
  if (Math.abs(serverTime() - entry.made) < sameDay) return send(entry);
  return fail(entry, new Problem(null, 'It was made more than 12 hours ago, and the log would hold the time of sending.'));
}

// Without a problem there was no attempt. A refused token is no result for the contact.
const isPassing = ({ problem }) => !problem || problem.isPassing || problem.status === 401;

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function send(entry) {
  clearTimeout(entry.timer);
  change(entry, 'sending');
  for (let count = 1; entry.state === 'sending'; count += 1) {
    if (!isMine(entry)) return fail(entry, null);
    const used = session.token();
    const problem = await attempt(entry, count === 1);
    if (!problem) return record(entry);
    const isRenewed = problem.status === 401 && session.token() !== used;
    if (count === attempts || !(problem.isPassing || isRenewed)) return fail(entry, problem);
    stored.keep(entry);
    await pause(entry, isRenewed ? 0 : problem.retryAfter ?? count);
    if (!isMine(entry)) return fail(entry, problem);
  }
}

/** The problem, or null if the contact is in the log. */
async function attempt(entry, isLasting) {
  entry.isUnderWay = true;
  try {
    await post('log-outreach', { patient_id: entry.patient.id, ...entry.fields }, entry.key, isLasting);
    return null;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return problem;
  } finally {
    entry.isUnderWay = false;
  }
}

async function record(entry) {
  if (!entries.has(entry.key) || !states[entry.state].asks) return;
  stored.drop(entry);
  change(entry, 'recorded');
  if (isMine(entry)) entry.after = await get(`patients/${encodeURIComponent(entry.patient.id)}`).catch(() => null);
  if (!isMine(entry)) remove(entry, 'discarded');
  else if (entry.state === 'recorded') change(entry, 'logged');
}

function fail(entry, problem) {
  if (entry.state !== 'sending' && entry.state !== 'failed') return;
  entry.problem = problem;
  stored.keep(entry);
  change(entry, 'failed');
  // The notice contains where it is stored, which may be known only after encryption.
  const wasKept = entry.isKept;
  entry.sealing?.then(() => entry.state === 'failed' && entry.isKept !== wasKept && tell(entry));
  putAside(entry);
}

/** Entries between two attempts, each with a function that ends the wait. */
const pauses = new Map();
// A long wait must not outlast the session and continue under the next one.
session.onPerson(() => pauses.forEach((end, entry) => isMine(entry) || end()));

async function pause(entry, seconds) {
  entry.isToWait = { at: mark(), span: seconds * 1000 };
  await new Promise((resolve) => {
    pauses.set(entry, resolve);
    setTimeout(resolve, seconds * 1000);
  });
  pauses.delete(entry);
}

function change(entry, state) {
  entry.state = state;
  tell(entry);
}

/** It stays in storage and leaves this tab. */
function takeOff(entry) {
  clearTimeout(entry.timer);
  entries.delete(entry.key);
  change(entry, 'gone');
}

function remove(entry, end) {
  clearTimeout(entry.timer);
  entries.delete(entry.key);
  stored.drop(entry);
  entry.end = end;
  change(entry, 'gone');
}

function tell(entry) {
  changes.dispatchEvent(Object.assign(new Event('change'), { entry }));
}
