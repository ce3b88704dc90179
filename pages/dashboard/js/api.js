// The API of this host. Each failure becomes a Problem with a text for the reader.

import { learnTime } from './clock.js';
import { organization, token } from './session.js';

const patience = 20_000;

export class Problem extends Error {
  constructor(status, detail, { requestID = null, retryAfter = null, errors = [] } = {}) {
    super(detail);
    Object.assign(this, { status, detail, requestID, retryAfter, errors });
  }

  /** A temporary failure: a retry may succeed. */
  get isPassing() {
    return [0, 408, 429, 500, 502, 503, 504].includes(this.status);
  }

  static async from(response) {
    const body = await response.json().catch(() => ({}));
    const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
    return new Problem(response.status, body.detail ?? `The server answered ${response.status}.`, {
      requestID: body.request_id ?? response.headers.get('X-Request-Id'),
      retryAfter: Number.isNaN(seconds) ? null : seconds,
      errors: body.errors ?? [],
    });
  }
}

const automatic = new WeakSet();

/** Marks requests that no person asked for. The audit records them as such. */
export const markAutomatic = (signal) => automatic.add(signal);

export const get = (path, parameters = {}, signal = undefined) => ask(path, parameters, { signal });

/** A list of patients. The search text is in the body, because addresses are recorded. */
export const search = (body, signal) => submit('patients/search', body, signal);

/** A request that may be repeated without a key. */
export const submit = (path, body, signal = undefined) =>
  ask(path, {}, { signal, method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

/** Browsers limit the bodies of all keepalive requests in progress together (Fetch, section 4.5). */
const mostLasting = 64 * 1024;
let lasting = 0;

/**
 * The key makes a retry safe: the server logs it once. `isLasting`: the browser finishes the request after the page was
 * closed, as long as the bodies of all such requests fit. It refuses one that does not.
 */
export async function post(path, body, key, isLasting = false) {
  const text = JSON.stringify(body);
  const size = new TextEncoder().encode(text).length;
  const keepalive = isLasting && lasting + size <= mostLasting;
  if (keepalive) lasting += size;
  try {
    return await ask(path, {}, {
      keepalive,
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: text,
    });
  } finally {
    if (keepalive) lasting -= size;
  }
}

/** Public: no token is sent. */
export const getSettings = () => send('/dashboard/settings', {});

/** The stream of alerts, from the message after a number. It lasts until the signal aborts or the server ends it. */
export async function openStream(after, signal) {
  const last = after === null ? {} : { 'Last-Event-ID': String(after) };
  const response = await fetch(addressOf('alerts/live'), {
    cache: 'no-store', credentials: 'omit', signal,
    headers: { Accept: 'text/event-stream', ...last, ...authorization() },
  });
  learnTime(response);
  if (!response.ok) throw await Problem.from(response);
  if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) throw new Problem(0, 'The server sent no stream.');
  return response;
}

const addressOf = (path) => `/api/v1/reengagement/${encodeURIComponent(organization())}/${path}`;
const authorization = () => ({ Authorization: `Bearer ${token()}` });

function ask(path, parameters, { headers = {}, ...options }) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null)).toString();
  const mark = automatic.has(options.signal) && { 'X-Asked-By': 'timer' };
  return send(`${addressOf(path)}${query ? `?${query}` : ''}`, { ...options, headers: { ...headers, ...mark, ...authorization() } });
}

async function send(address, { signal, ...options }) {
  const signals = [AbortSignal.timeout(patience), ...(signal ? [signal] : [])];
  let response;
  try {
    response = await fetch(address, {
      ...options,
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.any(signals),
    });
    learnTime(response);
    if (response.ok) return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, error.name === 'TimeoutError'
      ? 'The server did not answer in time.'
      : 'The server cannot be reached. Is this device online?');
  }
  throw await Problem.from(response);
}
