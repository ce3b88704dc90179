// The signed-in person. The token stays in this tab's memory, because browsers write their storage to disk. It is sent
// only in the Authorization header and never logged. To use Clerk's own sign-in, pass Clerk's getToken as `token`
// (docs/dashboard.md).

const changes = new EventTarget();
/**
 * Tells the other tabs that a person signed out, gave input, or left, and shares the stream of alerts (live.js); never a
 * token. Without it each tab is independent.
 */
const tabs = globalThis.BroadcastChannel ? new BroadcastChannel('reengagement') : null;
let local = [];
let current = takeOver();
/** `new` until the first response of the API, then `taken` or `refused`. The claims of a token alone prove nothing. */
let standing = 'new';
/** The previous person, who has not signed out. */
let last = null;

export const token = () => current;
export const organization = () => claimsOf(current)?.organization ?? null;
export const onSignIn = (listener) => changes.addEventListener('in', (event) => listener(event.isSamePerson));
/** Called when the person changes: signed in or out, expired, or accepted by the API. */
export const onPerson = (listener) => changes.addEventListener('person', listener);
/** The person of this tab has signed out in another one. */
export const onSignOutElsewhere = (listener) => onTabs({ signedOut: listener });

/** False if other tabs cannot be told anything. */
export const hasTabs = tabs !== null;

/** News of the same person from another tab, in any organization. */
export const onTabs = (listeners) => tabs?.addEventListener('message', ({ data }) => {
  if (data.subject === subject()) listeners[data.what]?.(data);
});

export function tellTabs(what, more = {}) {
  if (subject() !== null) tabs?.postMessage({ ...more, what, subject: subject() });
}

/** The owner of an entry: a person within an organization, as comparable text. */
export const owner = () => ownerOf(current);
/** The same, while the API accepts the token, otherwise null: the owner whose entries may be shown and sent. */
export const person = () => (standing === 'taken' ? owner() : null);
/** The person of the token, before the API has decided about it. */
export const presumed = () => (standing === 'refused' ? null : owner());

/** The person of the token, in any organization. */
export const subject = () => claimsOf(current)?.subject ?? null;

/** The person of an owner, in any organization; null for any other text, since the storage may contain anything. */
export function subjectOf(owner) {
  try {
    return JSON.parse(owner)[1];
  } catch {
    return null;
  }
}

// Left in this tab's storage by an earlier version of the page or another page of this host.
function takeOver() {
  const place = 'reengagement.token';
  try {
    const text = sessionStorage.getItem(place);
    sessionStorage.removeItem(place);
    return text;
  } catch {
    // The browser refuses storage to this page.
    return null;
  }
}

function ownerOf(text) {
  const claims = claimsOf(text);
  return claims && JSON.stringify([claims.organization, claims.subject]);
}

/** The API has accepted this token. True for the first time. */
export function confirm() {
  if (standing === 'taken' || current === null) return false;
  standing = 'taken';
  tell('person');
  return true;
}

/** The API no longer accepts this token. Its claims still name the person who is asked to sign in again. */
export function expire() {
  standing = 'refused';
  tell('person');
}

/** The expiry time by the server's clock, and the whole lifetime; NaN if the token does not contain them. */
export const expires = () => claimsOf(current)?.expires ?? NaN;
export const lifetime = () => expires() - (claimsOf(current)?.begins ?? NaN);

/** Organizations of the local set-up; [] elsewhere. */
export const localOrganizations = () => local;

/** The claims of a token. Only the server decides whether they are true. */
function claimsOf(text) {
  try {
    const part = text.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const organization = claims.v === 2 ? claims.o?.id : claims.org_id;
    return { organization: organization ?? null, begins: claims.iat * 1000, expires: claims.exp * 1000, subject: claims.sub };
  } catch {
    return null;
  }
}

/** The reason why a pasted token cannot be valid, or null. */
export function faultOf(text) {
  const claims = /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) ? claimsOf(text) : null;
  if (!claims) return 'This is not a session token: it has three parts with dots between them.';
  if (!claims.organization) return 'This token names no active organization: choose one in Clerk first.';
  return null;
}

/** The server decides whether a token is valid. The message mentions this device's clock only if it disagrees. */
export function reasonToSignIn({ detail }) {
  const isClockSlow = /expired/.test(detail) && claimsOf(token())?.expires > Date.now();
  return `${detail} Sign in again to go on.${isClockSlow ? " By this device's clock it is still valid: the clock may be slow." : ''}`;
}

export function signIn(text) {
  const before = owner() ?? last;
  const isSamePerson = before === null || ownerOf(text) === before;
  [current, standing, last] = [text, 'new', null];
  tell('in', { isSamePerson });
  tell('person');
}

/** In all tabs, for any organization. */
export function signOut(isElsewhere = false) {
  if (!isElsewhere) tellTabs('signedOut');
  [current, standing, last] = [null, 'new', null];
  tell('person');
}

/** The session ended without signing out. The same person continues at the same address. */
export function forget() {
  [current, standing, last] = [null, 'new', owner() ?? last];
  tell('person');
}

const tell = (name, more = {}) => changes.dispatchEvent(Object.assign(new Event(name), more));

/** Requests the tokens of the local set-up. Any other host has none. */
export async function lookAround() {
  if (!['localhost', '127.0.0.1'].includes(location.hostname)) return;
  const answer = await fetch('/dev/tokens', { cache: 'no-store', signal: AbortSignal.timeout(5000) })
    .then((response) => (response.ok ? response.json() : null)).catch(() => null);
  local = answer?.organizations ?? [];
}

/** Signs in with an offered token, unless it is the one that was just refused. */
export function signInLocally(wanted = organization(), refused = token()) {
  const offered = local.find((each) => each.id === wanted) ?? (wanted === null ? local[0] : null);
  if (!offered || offered.token === refused || faultOf(offered.token)) return false;
  signIn(offered.token);
  return true;
}
