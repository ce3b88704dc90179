// Alerts: the patients who have become critical in the last days, until somebody has settled each one.

import { acknowledge, reopen } from '../alert-actions.js';
import { openAlert } from '../alert-dialog.js';
import { get } from '../api.js';
import { learn } from '../bell.js';
import { contactButtons } from '../contact-dialog.js';
import { contactText, h, written } from '../dom.js';
import { count, date, moment, plural } from '../format.js';
import { figures } from '../figures.js';
import { isSeen, nameOf } from '../names.js';
import * as notifications from '../notifications.js';
import { choice, contactMark, empty, heading } from '../parts.js';
import { toPatient } from '../router.js';
import { subject } from '../session.js';

export const title = 'Alerts';

const states = { open: 'Open', acknowledged: 'Acknowledged', all: 'All' };
const stateOf = ({ state }) => (Object.hasOwn(states, state) ? state : 'open');
/** The cursors of the visited pages of each state. */
const trails = new Map();
const trailOf = (state) => trails.get(state) ?? [];
/** The place of the alert that was just settled, where the keyboard goes on. */
let next = null;

export function forget() {
  trails.clear();
}

export async function load(parameters, signal) {
  const state = stateOf(parameters);
  const trail = trailOf(state);
  const list = await get('alerts', { days: figures.counted_alert_days, state, cursor: trail.at(-1)?.cursor ?? null }, signal);
  // The alerts of the last page may have been settled.
  if (list.alerts.length === 0 && trail.length > 0) {
    trails.set(state, trail.slice(0, -1));
    return load(parameters, signal);
  }
  learn(list);
  return { state, list, before: trail.at(-1)?.before ?? 0 };
}

export function render({ state, list, before }, context) {
  const counts = { open: list.open, acknowledged: list.acknowledged, all: list.open + list.acknowledged };
  return [
    heading(title, h('p', { class: 'muted' }, `${plural(list.new_today, 'patient')} became critical today`)),
    choice('State', Object.entries(states).map(([value, text]) => ({
      value, text, href: value === 'open' ? '#/alerts' : `#/alerts?state=${value}`, more: h('span', { class: 'tally' }, count(counts[value])),
    })), state),
    h('p', { class: 'level-advice' }, h('strong', {}, 'Immediate contact required. '),
      `Patients who became critical in the last ${figures.counted_alert_days} days. Logging a contact settles an alert too.`),
    list.alerts.length === 0 ? nothing(state) : h('ol', { class: 'alert-rows', start: before + 1 }, list.alerts.map(row)),
    list.alerts.length > 0 && pager(state, list, before, counts[state], context),
    notificationSwitch(),
  ];
}

// After the alert in focus was settled, the next one has the focus, and after the last one the bell.
export function attach() {
  if (next === null || document.activeElement !== document.body) return;
  const buttons = document.querySelectorAll('.alert-row .alert-main');
  (buttons[Math.min(next, buttons.length - 1)] ?? document.getElementById('bell'))?.focus({ preventScroll: true });
}

const settled = (index, action) => async (...rest) => {
  next = index;
  await action(...rest);
  next = null;
};

function nothing(state) {
  return state === 'acknowledged' ? empty('Nothing acknowledged', 'Alerts that you acknowledge or snooze are listed here.')
    : empty('No open alerts', `Nobody became critical in the last ${figures.counted_alert_days} days without being looked at.`);
}

function row(alert, index) {
  const key = `${alert.id} ${alert.critical_since}`;
  return h('li', { class: 'alert-row level-critical', 'data-alert-of': alert.id },
    h('div', { class: 'patient-who' },
      h('h2', {}, h('a', { href: toPatient(alert.id), 'data-key': `patient ${key}` }, written(nameOf(alert)))),
      h('p', { class: 'patient-address' }, isSeen(alert.phone) && contactText(alert.phone), isSeen(alert.email) && contactText(alert.email),
        !isSeen(alert.phone) && !isSeen(alert.email) && 'No phone or email on file')),
    h('div', { class: 'alert-why' },
      h('p', {}, h('strong', {}, `Critical since ${date(alert.critical_since)}`)),
      h('p', { class: 'muted' }, `${plural(alert.days_since_last_contact, 'day')} without contact · score ${alert.risk_score}`),
      h('p', {}, alert.recommended_action)),
    alert.acknowledged && h('div', { class: 'alert-settled' }, ...settlement(alert.acknowledged)),
    h('div', { class: 'alert-buttons', role: 'group', 'aria-label': `Alert of ${nameOf(alert)}` },
      alert.acknowledged ? button('Undo', `undo ${key}`, settled(index, () => reopen(alert)), 'alert-main') : [
        button('Acknowledge', `acknowledge ${key}`, settled(index, () => acknowledge(alert)), 'alert-main'),
        button('Snooze or note…', `snooze ${key}`, () => openAlert(alert, settled(index, (choices) => acknowledge(alert, choices))), '', { 'aria-haspopup': 'dialog' })]),
    h('div', { class: 'patient-contact' }, contactButtons(alert), contactMark(alert.id)));
}

const button = (text, key, onclick, style, more = {}) =>
  h('button', { type: 'button', class: `button small ${style}`, 'data-key': key, onclick, ...more }, text);

function settlement({ by, at, until, note }) {
  const who = by === subject() ? 'you' : written(by);
  return [
    h('p', {}, h('strong', {}, until ? `Snoozed until ${date(until)}` : 'Acknowledged'), ' by ', who, ', ', h('time', { datetime: at }, moment(at))),
    isSeen(note) && written(note, 'p', { class: 'notes' }),
  ];
}

function pager(state, { alerts, summary }, before, total, context) {
  const trail = trailOf(state);
  const go = (to) => { trails.set(state, to); scrollTo(0, 0); context.reload(); };
  return h('nav', { class: 'pager', 'aria-label': 'Pages of alerts' },
    h('p', { id: 'range' }, `${count(before + 1)}–${count(before + alerts.length)} of ${count(total)}`),
    h('button', { type: 'button', class: 'button', 'data-key': 'previous', disabled: trail.length === 0, onclick: () => go(trail.slice(0, -1)) },
      'Previous'),
    h('button', {
      type: 'button', class: 'button', 'data-key': 'next', disabled: summary.next_cursor === null,
      onclick: () => go([...trail, { cursor: summary.next_cursor, before: before + alerts.length }]),
    }, 'Next'));
}

function notificationSwitch() {
  if (!notifications.canNotify()) return null;
  const hint = h('span', { class: 'muted small', id: 'notify-hint' });
  const box = h('input', {
    type: 'checkbox', role: 'switch', 'data-key': 'notify', 'aria-describedby': 'notify-hint',
    onchange: async () => { await notifications.turn(box.checked); show(); },
  });
  const show = () => {
    box.checked = notifications.isOn();
    box.disabled = notifications.isBlocked();
    hint.textContent = notifications.isBlocked()
      ? 'This browser blocks notifications of this page. Its settings for this address can allow them.'
      : 'In this browser, while a tab of this page is open. A notification names nobody.';
  };
  show();
  return h('p', { class: 'notify' }, h('label', {}, box, ' Notify me of new critical patients'), ' ', hint);
}
