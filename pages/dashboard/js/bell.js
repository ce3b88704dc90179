// The bell: the number of open alerts, and the news that patients have become critical. The stream names no patient, so
// a visible tab asks for the names.

import { get, markAutomatic, Problem } from './api.js';
import { h, unseen, written } from './dom.js';
import { count } from './format.js';
import * as live from './live.js';
import { nameOf } from './names.js';
import { closeNotifications, notify } from './notifications.js';
import { toPatient } from './router.js';
import * as session from './session.js';
import { setNumber } from './tab.js';
import { clearToasts, toast } from './toasts.js';

const mostNames = 3;
let ring = null;
/** The last known counts of `alerts`; null before the first ones. */
let counts = null;
/** The number of the last notice that this person knows about, and of the last one that there is. */
let seen = null;
let newest = null;
let looking = null;
let owner = null;
/** Patients who have become critical and of whom no notification has told yet. */
let untold = 0;
let telling = null;

/** `whenRung` is called if the page's data may have changed. */
export function startBell(whenRung) {
  ring = whenRung;
  live.onMessage(hear);
  live.onState(() => live.isPolling() && look());
  session.onPerson(forgetOthers);
  // A visible tab has shown this news, so a hidden one need not show it later.
  session.onTabs({ told: (data) => data.owner === owner && document.hidden && (seen = Math.max(seen ?? 0, data.sequence)) });
  document.addEventListener('visibilitychange', () => isBehind() && look());
}

export function bell(isCurrent) {
  const open = counts?.open ?? 0;
  return h('a', {
    id: 'bell', class: 'bell', href: '#/alerts', 'data-key': 'bell', 'aria-current': isCurrent ? 'page' : null,
    title: 'Alerts',
  }, unseen('Alerts: '), h('span', { class: 'bell-number', 'aria-hidden': 'true' }, open === 0 ? '' : open > 99 ? '99+' : count(open)),
  unseen(`${count(open)} open`));
}

/** The counts of a response of `alerts`, or of a message of the stream. */
export function learn({ open, critical, new_today: newToday }) {
  // The server does not know them while it prepares the clinic's data.
  if (!Number.isInteger(open)) return false;
  const isNew = counts !== null && (counts.open !== open || counts.critical !== critical || counts.newToday !== newToday);
  counts = { open, critical, newToday };
  show();
  return isNew;
}

/** After each load: without a stream the counts and the news are requested. */
export const afterLoad = () => live.isPolling() && look();

function show() {
  setNumber(counts?.open ?? 0);
  const before = document.getElementById('bell');
  if (!before) return;
  const hadFocus = before === document.activeElement;
  const after = bell(before.hasAttribute('aria-current'));
  before.replaceWith(after);
  if (hadFocus) after.focus({ preventScroll: true });
}

function forgetOthers() {
  // A renewed token of the same person changes nothing.
  const now = session.person() ?? (session.presumed() === owner ? owner : null);
  if (owner === now) return;
  owner = now;
  [counts, seen, newest, untold] = [null, null, null, 0];
  clearTimeout(telling);
  looking?.abort();
  clearToasts();
  closeNotifications();
  show();
}

const isBehind = () => seen !== null && newest > seen;

function hear(message) {
  if (message.type === 'bye') return;
  newest = Math.max(newest ?? 0, message.sequence);
  if (message.type === 'notice') {
    if (message.kind === 'critical') tellSoon(message.number);
    ring();
  } else if (message.type === 'reset') {
    // What happened meanwhile is not known. The list has all of it.
    seen = newest = message.sequence;
    ring();
  } else if (learn(message)) {
    ring();
  }
  seen ??= message.type === 'notice' ? message.sequence - 1 : message.sequence;
  if (isBehind()) lookSoon();
}

// Several notices of one moment make one notification. Only one tab shows it.
function tellSoon(number) {
  if (!live.isFirstTab()) return;
  untold += number;
  clearTimeout(telling);
  telling = setTimeout(tell, 500);
}

function tell() {
  notify(untold, () => { location.hash = '#/alerts'; });
  untold = 0;
}

let soon = null;
// At midnight the pages of many clinics hear a notice at once, so each waits for a moment of its own.
function lookSoon() {
  clearTimeout(soon);
  soon = setTimeout(() => isBehind() && look(), 200 + Math.random() * 500);
}

// A hidden tab requests no patient. It looks when it becomes visible.
async function look() {
  if (document.hidden || owner === null || looking) return;
  const own = new AbortController();
  markAutomatic(own.signal);
  looking = own;
  const [from, known] = [seen, newest];
  try {
    const answer = await get('alerts', { limit: 1 }, own.signal);
    if (own.signal.aborted) return;
    learn(answer);
    seen = answer.sequence;
    newest = Math.max(newest ?? 0, seen);
    if (from !== null && answer.sequence > from) await tellNews(from, own.signal);
  } catch (error) {
    // The page shows its own failures. The news is requested again with its next load.
    if (!own.signal.aborted) seen = from;
    if (!own.signal.aborted && !(error instanceof Problem)) console.error(error);
  } finally {
    if (looking === own) looking = null;
    // A notice that came meanwhile is not in the response.
    if (known !== null && newest > known) lookSoon();
  }
}

async function tellNews(from, signal) {
  const { events } = await get('alerts/events', { after: from }, signal);
  const latest = new Map(events.filter((each) => each.patient_id !== null).map((each) => [each.patient_id, each.kind]));
  const ids = [...latest].filter(([, kind]) => kind === 'critical').map(([id]) => id);
  const storm = events.filter((each) => each.kind === 'critical' && each.patient_id === null);
  const number = storm.reduce((sum, each) => sum + each.number, ids.length);
  if (number === 0) return;
  const patients = number > mostNames ? [] : await Promise.all(ids.map((id) =>
    get(`patients/${encodeURIComponent(id)}`, {}, signal).catch((problem) => {
      if (problem.status === 404) return null;
      throw problem;
    })));
  if (signal.aborted) return;
  session.tellTabs('told', { owner, sequence: seen });
  if (!live.isLive()) { untold = number; tell(); }
  showNews(number, patients.filter(Boolean));
}

function showNews(number, patients) {
  const what = number === 1 ? 'New critical patient' : `${count(number)} new critical patients`;
  const all = h('a', { href: '#/alerts' }, what);
  if (patients.length < number) return toast({ text: what, content: all, kind: 'news' });
  const links = patients.flatMap((each, index) => [index > 0 && ', ', h('a', { href: toPatient(each.id) }, written(nameOf(each)))]);
  return toast({ text: `${what}: ${patients.map(nameOf).join(', ')}`, content: [`${what}: `, links], kind: 'news' });
}
