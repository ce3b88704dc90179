// Numbers and dates as text, in English like the page.

import { figures } from './figures.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const money = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const shortDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const longDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const dayParts = { day: 'numeric', month: 'short', year: 'numeric' };
let inZone;
useZone(undefined);

export const none = '–';

export const count = (value) => whole.format(value);
export const percent = (value) => (value === null ? none : `${tenths.format(value)}%`);
export const decimal = (value) => tenths.format(value);
/** Without a currency: the API does not name the clinic's. */
export const amount = (value) => money.format(value);

/**
 * Sets the time zone of all times; undefined is the reader's own. The browser may not know a zone that PostgreSQL
 * knows.
 */
export function useZone(name) {
  const formatOf = (zone, parts) => new Intl.DateTimeFormat('en-GB', { ...parts, timeZone: zone });
  let zone = name;
  try {
    formatOf(zone, dayParts);
  } catch {
    zone = 'UTC';
  }
  const clock = { hour: '2-digit', minute: '2-digit' };
  inZone = {
    day: formatOf(zone, dayParts), moment: formatOf(zone, { ...dayParts, ...clock }), clock: formatOf(zone, { ...clock, second: '2-digit' }),
    foreign: formatOf(zone).resolvedOptions().timeZone === formatOf().resolvedOptions().timeZone ? null : zone,
  };
}

/** The time zone to show next to a time; null if it is the reader's own. */
export const zoneOf = (timestamp) => (timestamp === null ? null : inZone.foreign);
const named = (text) => (inZone.foreign ? `${text} (${inZone.foreign})` : text);

/** The API's timestamps are UTC. They are shown in the clinic's zone, like the API's own dates. */
export const day = (timestamp) => (timestamp === null ? none : inZone.day.format(new Date(timestamp)));
export const moment = (timestamp) => (timestamp === null ? none : named(inZone.moment.format(new Date(timestamp))));
export const timeOfDay = (date) => named(inZone.clock.format(date));

/** A calendar date of the clinic, independent of time zones. */
export const date = (text) => longDay.format(new Date(`${text}T00:00:00Z`));
export const shortDate = (text) => shortDay.format(new Date(`${text}T00:00:00Z`));

/** The clinic's today, which follows from the days of an alert, and the days after it. */
export function today({ critical_since: since, days_since_last_contact: days }) {
  const text = daysAfter(since, days - figures.critical_risk_days);
  return { text, plus: (number) => daysAfter(text, number) };
}

function daysAfter(text, number) {
  const moved = new Date(`${text}T00:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + number);
  return moved.toISOString().slice(0, 10);
}

/** From 1 (Monday) to 7. */
export const weekday = (text) => new Date(`${text}T00:00:00Z`).getUTCDay() || 7;

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const signed = (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${tenths.format(Math.abs(value))}%`;

/** A percentage, rounded half away from zero; null if the whole is 0. */
export const share = (part, all) => (all === 0 ? null : Math.round((part * 1000) / all) / 10);
