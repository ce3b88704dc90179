// What is not in the log yet, kept on this computer for the person who made it, until it is logged or discarded, a
// week at most, and not after he has signed out.
//
// The sealed text stands in local storage, which can be written while a page goes away. Its key, one for each text,
// stands in IndexedDB, cannot be exported, and is deleted with it. So no search of the disk or of a backup finds a
// note, but whoever runs scripts in this browser's profile could open it (docs/dashboard.md). While a tab lives, it
// holds a lock on what it has, so that no other tab sends or discards the same.

import { serverTime } from './clock.js';

const prefix = 'reengagement.kept.';
const longest = 7 * 24 * 60 * 60 * 1000;
/** What this tab holds or waits for, each with what ends that. */
const claims = new Map();

/** Not over plain HTTP from another machine, nor where a part is missing; and a browser that refuses storage throws. */
const isPossible = (() => {
  try {
    return isSecureContext && Boolean(crypto.subtle && navigator.locks && indexedDB && localStorage);
  } catch {
    return false;
  }
})();

/** Makes ready what `keep` writes, anew each time it changes. */
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

/** At once, since the page may be going away; or as soon as it is sealed. */
export function keep(entry) {
  entry.isToKeep = true;
  // What was let go may be another tab's by now.
  if (!entry.sealed || !claims.has(entry.key)) return;
  try {
    localStorage.setItem(prefix + entry.key, entry.sealed);
    entry.isKept = true;
  } catch (error) {
    console.warn('A contact cannot be kept on this computer.', error.name);
  }
}

/** Logged, discarded, or its person has signed out. */
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

/** The page goes, perhaps into the browser's cache: another tab may take what is kept. */
export function letGo() {
  for (const held of claims.values()) held.abort();
  claims.clear();
}

/** Its person is not here: any tab that he comes back in may take it, once it is sealed. True where it could be kept. */
export async function putAway(entry) {
  await entry.sealing;
  if (!entry.isKept) return false;
  claims.get(entry.key)?.abort();
  claims.delete(entry.key);
  return true;
}

/** What no tab has: `take` is given each as it comes free, and says whether it wants it. */
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

/** Of these the keys alone, which say nothing of a patient. */
export const keysOfOthers = (owner) => (isPossible ? all().filter((each) => each.owner !== owner).map(({ key }) => key) : []);

export function dropAllOf(isLeaver) {
  for (const { key } of isPossible ? all().filter((each) => isLeaver(each.owner)) : []) remove(key);
}

/** Another tab has removed it, since its person has signed out there. */
export const isGone = (entry) => entry.isKept && localStorage.getItem(prefix + entry.key) === null;

/** Nothing is kept for longer than a week by the server's clock, nor what cannot be read. */
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
