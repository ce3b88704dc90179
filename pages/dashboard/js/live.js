// The stream of alerts, shared by all tabs of a person in an organization. One tab, which holds a lock, reads it and
// tells the others. Without a stream, `isPolling` is true and the page asks by itself.

import { Problem } from './api.js';
import { mark, since } from './clock.js';
import { longestSilence, readStream } from './event-stream.js';
import * as session from './session.js';

const longestPause = 60_000;
/** After a response that a later attempt hardly changes, such as 404 of an older server. */
const refusedPause = 300_000;
const changes = new EventTarget();
/** The signed-in person whose stream this is: owner, token, and what ends it. */
let own = null;
/** `opening`, then `live` or `polling`. */
let state = 'opening';
/** The number of the last notice, so that no later one is missed, the last counts, and whose they are. */
let last = null;
let latest = null;
let whose = null;
let heard = mark();
let isLeader = false;
let endPause = null;

export const isLive = () => state === 'live';
export const isPolling = () => state === 'polling';
/** True for one tab of all that share a stream. */
export const isFirstTab = () => isLeader || !canShare;
/** Called with each message of the stream, in each tab. */
export const onMessage = (listener) => changes.addEventListener('message', (event) => listener(event.message));
/** Called when the stream begins or ends. */
export const onState = (listener) => changes.addEventListener('state', listener);

const canShare = session.hasTabs && Boolean(navigator.locks);

export function startLive() {
  session.onPerson(follow);
  session.onTabs({
    live: (data) => data.owner === own?.owner && hear(data.message),
    silent: (data) => data.owner === own?.owner && change('polling'),
    askLive: (data) => data.owner === own?.owner && isLeader && tellLatest(),
  });
  // A page in the browser's cache must not hold the lock.
  addEventListener('pagehide', stop);
  addEventListener('pageshow', (event) => event.persisted && follow());
  addEventListener('online', () => endPause?.());
  setInterval(watch, 5000);
}

// The stream has the rights of one token. With another one, or another person, a new one begins. Until the API has
// accepted a renewed token, the stream of the earlier one goes on.
function follow() {
  const [owner, token] = [session.person(), session.token()];
  if (own && (owner === null ? session.presumed() === own.owner : owner === own.owner && token === own.token)) return;
  stop();
  if (owner === null) return;
  if (whose !== owner) [whose, last, latest] = [owner, null, null];
  own = { owner, token, end: new AbortController(), since: mark() };
  heard = mark();
  lead(own).catch((error) => {
    if (error.name !== 'AbortError') console.error(error);
  });
}

function stop() {
  own?.end.abort();
  own = null;
  change('opening');
}

async function lead({ owner, end: { signal } }) {
  if (!canShare) return listen(signal);
  session.tellTabs('askLive', { owner });
  return navigator.locks.request(`reengagement.live ${owner}`, { signal }, async () => {
    isLeader = true;
    await listen(signal).finally(() => { isLeader = false; });
  });
}

async function listen(signal) {
  for (let failures = 0; !signal.aborted;) {
    const before = heard;
    let bye = null;
    let problem = null;
    try {
      await readStream(last, signal, (message) => {
        if (signal.aborted) return;
        if (message.type === 'bye') bye = message;
        session.tellTabs('live', { owner: own.owner, message });
        hear(message);
      });
    } catch (error) {
      if (!(error instanceof Problem)) console.error(error);
      problem = error;
    }
    if (signal.aborted) return;
    failures = before === heard ? failures + 1 : 0;
    if (failures > 0 || !bye) silence();
    await pause(pauseOf(failures, problem, bye), signal);
  }
}

// Spread out, so that the pages of a server that restarts do not all come back at once.
function pauseOf(failures, problem, bye) {
  const spread = 0.5 + Math.random() / 2;
  if (bye && failures === 0) return Math.max(bye.retry_ms, 500);
  if (problem instanceof Problem && !problem.isPassing) return refusedPause * spread;
  return Math.max(Math.min(1000 * 2 ** failures, longestPause) * spread, (problem?.retryAfter ?? 0) * 1000);
}

function pause(span, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, span);
    endPause = () => { clearTimeout(timer); resolve(); };
    signal.addEventListener('abort', endPause, { once: true });
  }).finally(() => { endPause = null; });
}

function hear(message) {
  heard = mark();
  if (message.type === 'notice' || message.type === 'reset') last = message.sequence;
  else last ??= message.sequence ?? null;
  if (message.type === 'hello' || message.type === 'heartbeat') latest = message;
  if (message.type !== 'bye') change('live');
  changes.dispatchEvent(Object.assign(new Event('message'), { message }));
}

// A tab that has just opened need not wait for the next heartbeat.
function tellLatest() {
  if (state === 'live' && latest) session.tellTabs('live', { owner: own.owner, message: { ...latest, type: 'heartbeat' } });
  else if (state === 'polling') session.tellTabs('silent', { owner: own.owner });
}

function silence() {
  session.tellTabs('silent', { owner: own.owner });
  change('polling');
}

// Timers are late in sleep and in a hidden tab, so each tab measures the silence too.
function watch() {
  if (own === null) return;
  if (since(heard) > longestSilence || (state === 'opening' && since(own.since) > 5000)) change('polling');
}

function change(to) {
  if (state === to) return;
  state = to;
  changes.dispatchEvent(new Event('state'));
}
