// Stores unlogged contacts on this computer for the person who made them, until they are logged or discarded, for a
// week at most, and not after the person has signed out.
//
// The encrypted text is in local storage, which can be written while a page is closed. Each text has a key in
// IndexedDB, which cannot be exported and is deleted with the text. A search of the disk or of a backup finds no note.
// A script in this browser profile could decrypt it (docs/dashboard.md). A living tab holds a lock on its entries, so
// that no other tab sends or discards them.

import { serverTime } from './clock.js';

const prefix = 'reengagement.kept.';
const longest = 7 * 24 * 60 * 60 * 1000;
/** Entries that this tab holds or waits for, each with a function that ends it. */
const claims = new Map();

/**
 * Not over plain HTTP from another machine, and not if an interface is missing. A browser that refuses storage throws.
 */
const isPossible = (() => {
  try {
    return isSecureContext && Boolean(crypto.subtle && navigator.locks && indexedDB && localStorage);
  } catch {
    return false;
  }
})();

/** Prepares the encrypted text that `keep` writes, again after each change. */
export function seal(entry) {
  if (!isPossible) return;
  if (!claims.has(entry.key)) claim(entry.key, () => true);
  entry.sealing = (entry.sealing ?? Promise.resolve()).then(async () => {
    const { owner, made, patient, fields, state } = entry;
    const text = JSON.stringify({ patient, fields, isDraft: state === 'blank' || state === 'draft' });
    entry.sealed = JSON.stringify({ owner, made, ...await encrypted(text, owner, await keyOf(entry.key)) });
    if (entry.isToKeep) keep(entry);
  }).catch((error) => console.warn('A contact cannot be kept on this computer.', error.name));
}

/** Immediately, since the page may be closing, or as soon as the text is encrypted. */
export function keep(entry) {
  entry.isToKeep = true;
  // Another tab may have taken an entry that was released.
  if (!entry.sealed || !claims.has(entry.key)) return;
  try {
    localStorage.setItem(prefix + entry.key, entry.sealed);
    entry.isKept = true;
  } catch (error) {
    console.warn('A contact cannot be kept on this computer.', error.name);
  }
}

/** After it was logged or discarded, or its person has signed out. */
export function drop(entry) {
  Object.assign(entry, { sealed: null, isKept: false, isToKeep: false });
  if (!isPossible) return;
  localStorage.removeItem(prefix + entry.key);
  entry.sealing = (entry.sealing ?? Promise.resolve()).then(async () => {
    entry.sealed = null;
    await removeKey(entry.key);
  });
  claims.get(entry.key)?.abort();
  claims.delete(entry.key);
}

/** The page is left, perhaps into the browser's cache. Another tab may take the stored entries. */
export function letGo() {
  for (const held of claims.values()) held.abort();
  claims.clear();
}

/**
 * The person has left. Any tab where they sign in again may take the entry, once it is encrypted. True if it could be
 * stored.
 */
export async function putAway(entry) {
  await entry.sealing;
  if (!entry.isKept) return false;
  claims.get(entry.key)?.abort();
  claims.delete(entry.key);
  return true;
}

/** Calls `take` with each entry that no tab holds, when it becomes free. `take` returns whether it wants it. */
export function adopt(owner, take) {
  if (!isPossible) return;
  for (const { key } of all().filter((each) => each.owner === owner && !claims.has(each.key))) {
    claim(key, async () => {
      const kept = read(key);
      if (!kept) return false;
      const sealedWith = await keys('readonly', (store) => store.get(key));
      const text = await decrypted(kept, sealedWith).catch(() => null);
      if (text === null) return remove(key);
      return take({ key, owner, made: kept.made, isKept: true, isToKeep: true, sealed: null, ...JSON.parse(text) });
    });
  }
}

/** Returns only the keys, which contain nothing about a patient. */
export const keysOfOthers = (owner) => (isPossible ? all().filter((each) => each.owner !== owner).map(({ key }) => key) : []);

export function dropAllOf(isLeaver) {
  for (const { key } of isPossible ? all().filter((each) => isLeaver(each.owner)) : []) remove(key);
}

/** Another tab removed it, because its person signed out there. */
export const isGone = (entry) => entry.isKept && localStorage.getItem(prefix + entry.key) === null;

/** Removes entries older than a week by the server's clock, and unreadable ones. */
export function clearOld() {
  for (const { key, made } of isPossible ? all() : []) {
    if (!(Math.abs(serverTime() - made) < longest)) remove(key);
  }
}

function all() {
  return Object.keys(localStorage).filter((name) => name.startsWith(prefix)).map((name) => {
    const key = name.slice(prefix.length);
    return { key, ...read(key) };
  });
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(prefix + key));
  } catch {
    return null;
  }
}

function remove(key) {
  localStorage.removeItem(prefix + key);
  removeKey(key);
  return false;
}

function claim(key, use) {
  const held = new AbortController();
  claims.set(key, held);
  const forget = () => claims.get(key) === held && claims.delete(key);
  navigator.locks.request(prefix + key, { signal: held.signal }, async () => {
    const isWanted = await use();
    if (isWanted && !held.signal.aborted) await new Promise((release) => { held.signal.addEventListener('abort', release); });
  }).catch((error) => {
    if (error.name !== 'AbortError') console.warn('A contact that is kept on this computer cannot be read now.', error.name);
  }).finally(forget);
}

async function encrypted(text, owner, key) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: bytesOf(owner) }, key, bytesOf(text));
  return { iv: toBase64(iv), text: toBase64(new Uint8Array(sealed)) };
}

async function decrypted({ owner, iv, text }, key) {
  const how = { name: 'AES-GCM', iv: fromBase64(iv), additionalData: bytesOf(owner) };
  return new TextDecoder().decode(await crypto.subtle.decrypt(how, key, fromBase64(text)));
}

const bytesOf = (text) => new TextEncoder().encode(text);
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

async function keyOf(name) {
  const there = await keys('readonly', (store) => store.get(name));
  if (there) return there;
  const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  await keys('readwrite', (store) => store.put(made, name));
  return made;
}

const removeKey = (name) => keys('readwrite', (store) => store.delete(name))
  .catch((error) => console.warn('A key could not be deleted.', error.name));

function keys(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('reengagement', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction('keys', mode);
      const request = work(transaction.objectStore('keys'));
      transaction.oncomplete = () => { opening.result.close(); resolve(request.result); };
      transaction.onabort = () => { opening.result.close(); reject(transaction.error); };
    };
  });
}
