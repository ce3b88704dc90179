// Notifications of the browser. They may be visible on a locked screen, so they name no patient and no clinic.

import { count } from './format.js';

const place = 'reengagement.notify';
/** For a browser that refuses storage. */
let wanted = false;
const open = new Set();

/** False over plain HTTP from another machine, and in browsers without notifications for pages. */
export const canNotify = () => isSecureContext && 'Notification' in globalThis;
export const isBlocked = () => Notification.permission === 'denied';
export const isOn = () => canNotify() && Notification.permission === 'granted' && read();

/** The browser asks for permission, so this is only called by a click. */
export async function turn(isWanted) {
  if (isWanted && Notification.permission === 'default') await Notification.requestPermission();
  write(isWanted && Notification.permission === 'granted');
}

/** `onClick` is called when the reader selects the notification. */
export function notify(number, onClick) {
  if (!isOn()) return;
  const body = number === 1 ? 'A patient has become critical.' : `${count(number)} patients have become critical.`;
  try {
    const made = new Notification('Reengagement', { body, tag: 'reengagement.alerts', silent: true });
    made.onclick = () => { window.focus(); onClick(); made.close(); };
    made.onclose = () => open.delete(made);
    open.add(made);
  } catch (error) {
    // Browsers on Android allow notifications to service workers only.
    console.warn('This browser shows no notifications of a page.', error.name);
    write(false);
  }
}

export function closeNotifications() {
  for (const each of open) each.close();
  open.clear();
}

// The choice belongs to this browser, like the permission, and names nobody.
function read() {
  try {
    return localStorage.getItem(place) === 'on';
  } catch {
    return wanted;
  }
}

function write(isWanted) {
  wanted = isWanted;
  try {
    if (isWanted) localStorage.setItem(place, 'on');
    else localStorage.removeItem(place);
  } catch (error) {
    console.warn('This browser does not store the choice of notifications.', error.name);
  }
}
