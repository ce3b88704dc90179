// Who is signed in. The token stays in this tab's session storage and goes nowhere but
// into the Authorization header; it is never logged. To use Clerk's own sign-in, give
// `token` Clerk's getToken (docs/dashboard.md).

const place = 'reengagement.token';
const changes = new EventTarget();
let local = [];

export const token = () => sessionStorage.getItem(place);
export const organization = () => claimsOf(token())?.organization ?? null;
export const onSignIn = (listener) => changes.addEventListener('in', listener);

/** Organizations of the local set-up, [] anywhere else. */
export const localOrganizations = () => local;

/** What a token says about itself; the server alone decides whether it is true. */
export function claimsOf(text) {
  try {
    const part = text.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const organization = claims.v === 2 ? claims.o?.id : claims.org_id;
    return { organization: organization ?? null, expires: claims.exp * 1000, subject: claims.sub };
  } catch {
    return null;
  }
}

/** Why a pasted token cannot be meant, or null. */
export function faultOf(text, now = Date.now()) {
  const claims = /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) ? claimsOf(text) : null;
  if (!claims) return 'This is not a session token: it has three parts with dots between them.';
  if (!claims.organization) return 'This token names no active organization: choose one in Clerk first.';
  if (claims.expires <= now) return 'This token has expired: get a new one.';
  return null;
}

export function signIn(text) {
  sessionStorage.setItem(place, text);
  changes.dispatchEvent(new Event('in'));
}

export function signOut() {
  sessionStorage.removeItem(place);
}

/** Asks what the local set-up offers; on any other host there is nothing to ask. */
export async function lookAround() {
  if (!['localhost', '127.0.0.1'].includes(location.hostname)) return;
  const answer = await fetch('/dev/tokens', { cache: 'no-store' }).catch(() => null);
  local = answer?.ok ? (await answer.json()).organizations : [];
}

/** Signs in by itself with what was offered, unless that is the token just refused. */
export function signInLocally() {
  const wanted = organization();
  const offered = local.find((each) => each.id === wanted) ?? (wanted === null ? local[0] : null);
  if (!offered || offered.token === token() || faultOf(offered.token)) return false;
  signIn(offered.token);
  return true;
}
