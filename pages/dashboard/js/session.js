// Who is signed in. The token stays in this tab's memory, since browsers write what they store to the disk, and goes
// nowhere but into the Authorization header; it is never logged. To use Clerk's own sign-in, give `token` Clerk's
// getToken (docs/dashboard.md).

const changes = new EventTarget();
/** To the other tabs: that somebody has signed out, is at work, or is not, and no token. Without it each tab is by itself. */
const tabs = globalThis.BroadcastChannel ? new BroadcastChannel('reengagement') : null;
let local = [];
let current = takeOver();
/** `new` until the API has answered, then `taken` or `refused`: what a token says of itself, anybody can write. */
let standing = 'new';
/** Who was here before, and has not signed out. */
let last = null;

export const token = () => current;
export const organization = () => claimsOf(current)?.organization ?? null;
export const onSignIn = (listener) => changes.addEventListener('in', (event) => listener(event.isSamePerson));
/** Who is here has changed: signed in or out, expired, or taken by the API. */
export const onPerson = (listener) => changes.addEventListener('person', listener);
/** The person of this tab has signed out in another one. */
export const onSignOutElsewhere = (listener) => onTabs({ signedOut: listener });

/** What the same person does in another tab, in whichever organization. */
export const onTabs = (listeners) => tabs?.addEventListener('message', ({ data }) => {
  if (data.subject === subject()) listeners[data.what]?.();
});

export function tellTabs(what) {
  if (subject() !== null) tabs?.postMessage({ what, subject: subject() });
}

/** Whom an entry of this page belongs to: a person within an organization, as text that can be compared. */
export const owner = () => ownerOf(current);
/** The same, once the API has taken the token, and null before and after: whose entries may be shown and sent. */
export const person = () => (standing === 'taken' ? owner() : null);
/** Who seems to be here, for as long as the API has not said otherwise. */
export const presumed = () => (standing === 'refused' ? null : owner());

const subject = () => claimsOf(current)?.subject ?? null;

/** The person of an owner, in whichever organization; null of what is none, since the storage may hold anything. */
export function subjectOf(owner) {
  try {
    return JSON.parse(owner)[1];
  } catch {
    return null;
  }
}

// Handed over in the storage of this tab, by an earlier version of the page or another one of its host.
function takeOver() {
  const place = 'reengagement.token';
  try {
    const text = sessionStorage.getItem(place);
    sessionStorage.removeItem(place);
    return text;
  } catch {
    // The browser refuses this page all storage.
    return null;
  }
}

function ownerOf(text) {
  const claims = claimsOf(text);
  return claims && JSON.stringify([claims.organization, claims.subject]);
}

/** An answer has come for this token; true where it is the first. */
export function confirm() {
  if (standing === 'taken' || current === null) return false;
  standing = 'taken';
  tell('person');
  return true;
}

/** The API takes this token no longer; its claims still say who is asked to sign in again. */
export function expire() {
  standing = 'refused';
  tell('person');
}

/** When it expires, by the server's clock, and how long it is good for in all; NaN of a token that does not say. */
export const expires = () => claimsOf(current)?.expires ?? NaN;
export const lifetime = () => expires() - (claimsOf(current)?.begins ?? NaN);

/** Organizations of the local set-up, [] anywhere else. */
export const localOrganizations = () => local;

/** What a token says about itself; the server alone decides whether it is true. */
export function claimsOf(text) {
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

/** Why a pasted token cannot be meant, or null. */
export function faultOf(text) {
  const claims = /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) ? claimsOf(text) : null;
  if (!claims) return 'This is not a session token: it has three parts with dots between them.';
  if (!claims.organization) return 'This token names no active organization: choose one in Clerk first.';
  return null;
}

/** Whether a token is valid is for the server to say; this clock is only spoken of where it would say otherwise. */
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

/** In all tabs, whichever organization they show; in those that are told of it, in theirs. */
export function signOut(isElsewhere = false) {
  if (!isElsewhere) tellTabs('signedOut');
  [current, standing, last] = [null, 'new', null];
  tell('person');
}

/** Nobody is here any more, though nobody has signed out: the same person goes on where he was. */
export function forget() {
  [current, standing, last] = [null, 'new', owner() ?? last];
  tell('person');
}

const tell = (name, more = {}) => changes.dispatchEvent(Object.assign(new Event(name), more));

/** Asks what the local set-up offers; on any other host there is nothing to ask. */
export async function lookAround() {
  if (!['localhost', '127.0.0.1'].includes(location.hostname)) return;
  const answer = await fetch('/dev/tokens', { cache: 'no-store', signal: AbortSignal.timeout(5000) })
    .then((response) => (response.ok ? response.json() : null)).catch(() => null);
  local = answer?.organizations ?? [];
}

/** Signs in by itself with what was offered, unless that is the token just refused. */
export function signInLocally(wanted = organization(), refused = token()) {
  const offered = local.find((each) => each.id === wanted) ?? (wanted === null ? local[0] : null);
  if (!offered || offered.token === refused || faultOf(offered.token)) return false;
  signIn(offered.token);
  return true;
}
